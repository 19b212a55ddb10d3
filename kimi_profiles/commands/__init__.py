"""One module a command: `add_arguments(parser)`, `run(call) -> exit status`, its docstring is its help."""
