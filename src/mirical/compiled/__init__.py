"""Functions of arrays compiled once for all processes: another neither traces nor compiles them."""
