"""Evaluation by people: questions, studies, votes and ratings (paper, section 3.1)."""
