#!/usr/bin/env bash
# uv 0.13.9, `[tool.uv] environments`, and a lock file made by `uv pip compile --universal`: the environments become a
# marker on every line, and nothing in the file says so otherwise. On a Python outside of them both `pip install -r`
# and `uv pip install -r` leave out every package and exit 0; pip names each as ignored, uv says nothing of it.
# Whoever narrows the resolution for speed has to check after an install that something was installed.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "uv==0.13.9" >/dev/null
other=$(env/bin/python -c 'import sys; print("python_version > \"%d.%d\"" % sys.version_info[:2])')
cat >pyproject.toml <<TOML
[project]
name = "example"
version = "1"
requires-python = ">=3.9"
dependencies = ["six==1.17.0"]

[tool.uv]
environments = ['$other']
TOML
env/bin/uv pip compile --quiet --universal pyproject.toml --output-file lock.txt
pin=$(grep '^six' lock.txt)
pip_said=$(env/bin/pip install --disable-pip-version-check --requirement lock.txt 2>/dev/null) && pip_rc=0 || pip_rc=$?
uv_said=$(env/bin/uv pip install --python env --requirement lock.txt 2>&1) && uv_rc=0 || uv_rc=$?
there=$(env/bin/python -c 'import importlib.util as u; print(u.find_spec("six") is not None)')
echo "the lock: $pin"
echo "pip: exit $pip_rc, $(grep Ignoring <<<"$pip_said")"
echo "uv: exit $uv_rc, says: $(tail -1 <<<"$uv_said" | sed 's/ in .*//')"
echo "six is installed: $there"
[[ $pin == "six==1.17.0 ; python_full_version"* ]]
[[ $pip_rc == 0 && $pip_said == *"Ignoring six"* ]]
[[ $uv_rc == 0 && $uv_said != *six* && $there == False ]]
