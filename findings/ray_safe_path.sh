#!/usr/bin/env bash
# ray 2.60.0: a driver that is started with `python -P`, so that its working directory is not on sys.path, has workers that
# do have it, and first: a package in that directory then shadows an installed one of the same name on the workers alone.
set -euo pipefail
cd "$(mktemp -d)"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check "ray==2.60.0" >/dev/null
mkdir here
cat > here/driver.py <<'PY'
import os
import sys

import ray

ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, configure_logging=False)


@ray.remote
def path():
    import sys

    return sys.path


here = os.getcwd()
worker = ray.get(path.remote())
print("driver has it:", here in sys.path, "  worker's first entry is it:", worker[0] == here)
assert here not in sys.path and "" not in sys.path, sys.path
assert worker[0] == here, worker
ray.shutdown()
PY
cd here
RAY_USAGE_STATS_ENABLED=0 ../env/bin/python -P driver.py 2>/dev/null
echo "as described"
