"""The parts of run.py: processes, peers, workloads, measurements, the report."""
