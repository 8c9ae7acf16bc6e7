"""Files of tables in every format people have: recognised by content, read whole or refused."""
