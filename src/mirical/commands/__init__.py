"""Commands: options in, printed tables and files out, exit status.

Nothing heavy is imported until a command needs it, so ``--help`` answers at once.
"""
