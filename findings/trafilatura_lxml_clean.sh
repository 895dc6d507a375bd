#!/usr/bin/env bash
# trafilatura 2.3.1, installed alone into a new environment: `import trafilatura` raises ImportError. justext 3.0.2, which it needs,
# asks for the extra `lxml[html_clean]`; lxml 6.1.3 calls the extra `html-clean`, so pip warns that there is none of that name, installs
# lxml without it, and lxml.html.clean is not there. Whoever installs trafilatura has to install lxml_html_clean beside it.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "trafilatura==2.3.1" "justext==3.0.2" "lxml==6.1.3" 2>&1 | grep "extra" || true
if env/bin/python -c "import trafilatura" 2> said; then echo "it imports"; exit 1; fi
tail -n 2 said
grep -q "lxml_html_clean" said
env/bin/pip install --quiet --disable-pip-version-check lxml_html_clean
env/bin/python -c "import trafilatura; print(trafilatura.extract('<p>It takes seventy-five minutes.</p>' * 9)[:31])"
echo "as described"
