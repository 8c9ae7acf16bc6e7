"""What commands print: tables, progress, notes, exit statuses, and streams that may break."""
