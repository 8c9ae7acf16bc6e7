"""What each command is called with and does: options in, exit status out.

Nothing heavy is imported until a command needs it, so ``--help`` answers at once.
"""
