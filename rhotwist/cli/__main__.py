"""``python -m rhotwist.cli``: the command ``rho`` where no script is installed."""

from rhotwist.cli.main import main

main()
