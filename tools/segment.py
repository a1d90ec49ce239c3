"""`pointins segment`, where only the repository is at hand."""

import sys

if __name__ == "__main__":
    sys.argv[:1] = ["pointins", "segment"]
    from pointins_ext.cli import main

    main()
