"""Critical materials: what is where, who depends on whom, what to do when it stops."""
