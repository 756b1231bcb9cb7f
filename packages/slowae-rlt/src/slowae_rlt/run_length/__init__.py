"""Language models of events: sequences of recordings, training, sampling, evaluation."""
