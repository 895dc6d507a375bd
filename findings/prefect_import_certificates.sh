#!/usr/bin/env bash
# prefect 3.8.8 with httpx 0.28.1: importing `flow` reads the certificates of all authorities twice, although nothing is asked of
# anybody: importing Prefect imports its webhook block, whose module makes two HTTP transports as it is imported, and httpx makes an
# SSL context for each. Every client of a plain http server then makes one more, which nothing ever uses. At some 20 ms each they
# are a twentieth of the import. A client that is given a context of one's own (`httpx_settings={"verify": context}`) makes none.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "prefect==3.8.8" "fastapi==0.150.0" "aiosqlite==0.22.1" "sqlalchemy==2.0.58" "httpx==0.28.1" >/dev/null
export PREFECT_HOME="$PWD/home" PREFECT_API_URL="http://127.0.0.1:4200/api" PREFECT_LOGGING_LEVEL=CRITICAL DO_NOT_TRACK=1
cat >run.py <<'PY'
import ssl
import traceback

made = []
create = ssl.create_default_context


def counted(*args, **kwargs):
    made.append([frame.filename.rpartition("site-packages/")[2] for frame in traceback.extract_stack()])
    return create(*args, **kwargs)


ssl.create_default_context = counted

from prefect import flow  # noqa: E402, F401

at_import = list(made)
print("contexts made by the import:", len(at_import), "of which by the webhook block:", sum("prefect/blocks/webhook.py" in one for one in at_import))
assert len(at_import) == 2 and all("prefect/blocks/webhook.py" in one for one in at_import), at_import

from prefect.client.orchestration import get_client  # noqa: E402


def made_by(**settings):
    before = len(made)
    get_client(sync_client=True, **settings)
    return len(made) - before


plain, given = made_by(), made_by(httpx_settings={"verify": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)})
print("by a client of a plain http server:", plain, "- by one that is given a context:", given)
assert (plain, given) == (1, 0), (plain, given)
PY
env/bin/python run.py 2>log || { tail -5 log; exit 1; }
echo "as described"
