"""`python -m pointins_ext` is the command `pointins`."""

from pointins_ext.cli import main

if __name__ == "__main__":
    main()
