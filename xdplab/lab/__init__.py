"""Two hosts with a wire between them, and real interfaces on loan."""
