# Read by OSv's build: scripts/build fs=rofs_with_ext image=stillframe.  The words after the program
# are its options (docs/configuration.md).
from osv.modules import api

api.require('libext')
default = api.run('/stillframe-server --dir /data --protected-mode no')
