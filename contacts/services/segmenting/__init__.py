"""Keeping the members of segments true.

``watching`` says what can change an answer, ``membership`` asks some contacts again and writes the differences,
``filling`` makes the members of a new or changed segment, ``keeping`` takes up what moved and what became due.
"""
