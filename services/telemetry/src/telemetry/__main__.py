import sys

from telemetry.app import main

if __name__ == "__main__":
    sys.exit(main())
