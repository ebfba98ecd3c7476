"""Extremes in every numeric argument of every command: what test_extremes.py sends.

forms.py    from COMMAND DOCS to commands with places for numbers
words.py    the extremes, what stands in the other places, what the keys hold
known.py    what is left out, what is compared in part, what differs: each with its reason
"""
