"""Speech recordings, mu-law codes and log-mel spectrograms."""
