"""What both hosts share of running a job."""
