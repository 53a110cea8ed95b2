"""A newsroom whose truth is known: readers, articles, lists, clicks and alerts, drawn from stated chances.

What learns from a log is judged here by whether it finds again what was planted. Everything is drawn from the
generator that is handed in; nothing here reads a clock or a database.
"""
