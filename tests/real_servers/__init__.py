"""Both pipelines on real servers that are not ours. Outside CI: `make real-servers` installs them and takes an hour.

`weights.py` fetches the model that they serve, which slow tests of CI run too (`tests/flows/test_real_model.py`).
"""
