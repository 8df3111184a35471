"""`cakegate model train|evaluate|inspect`: the only place that imports the training library, and only to train."""
