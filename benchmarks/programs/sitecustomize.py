"""Another number of a roster's shards, for the program and for its provider, before either comes to need it."""

import os

from pulumi_openfunnel import schema

schema.SHARDS = int(os.environ["SHARDS"])
