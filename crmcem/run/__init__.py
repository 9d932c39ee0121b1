"""Run crmcem on one machine: embedded servers, supervised processes, browser assets.

Standard library only, so that a message about a missing part can always be printed.
"""
