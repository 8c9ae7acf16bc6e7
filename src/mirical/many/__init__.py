"""Many independent fits or images: tasks, where they run, and their results kept until the end."""
