"""The Cox-Ingersoll-Ross process: transition, bridge, other representations and discretisations."""
