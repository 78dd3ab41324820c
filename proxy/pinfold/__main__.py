"""`python -m pinfold`: the command line."""

from pinfold.cli import main

if __name__ == "__main__":
    main()
