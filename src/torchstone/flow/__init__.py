"""What `pipeline.py` and `ts.fit` share: preparing data, planning, executing, keeping and measuring a run."""
