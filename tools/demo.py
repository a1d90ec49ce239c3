"""`pointins demo`, where only the repository is at hand."""

import sys

if __name__ == "__main__":
    sys.argv[:1] = ["pointins", "demo"]
    from pointins_ext.cli import main

    main()
