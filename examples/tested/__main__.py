"""Enterprise customers one by one, all others as a roster; their keys are stack outputs."""

import pulumi
from customers import roster_of, settings_of

config = pulumi.Config()

for id_, email in config.require_object("enterprise").items():
    pulumi.export(f"{id_}.settings", settings_of(id_, email))
pulumi.export("keys", roster_of(config.require_object("customers")).api_keys)
