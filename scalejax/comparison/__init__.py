"""Which law to believe: what each predicts of runs that it has not seen."""
