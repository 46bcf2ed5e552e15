"""A Secret for each customer, and a Deployment that reads it and restarts when the key is another one."""

import hashlib
import re

import pulumi
import pulumi_kubernetes as kubernetes

import pulumi_openfunnel as openfunnel

config = pulumi.Config()
image = config.get("image") or "registry.k8s.io/pause:3.10"

cluster = kubernetes.Provider(
    "cluster",
    # A changed key updates the Secret. Without this the Secret is deleted and made anew, and missing in between.
    enable_secret_mutable=True,
    # Manifests in a directory instead of objects in a cluster, where one is named. They hold keys as Kubernetes does.
    render_yaml_to_directory=config.get("manifests"),
)


def name_of(id_: str) -> str:
    """The customer's id where it can be a name (RFC 1123); else what can of it, told apart by a digest after two hyphens."""
    if re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", id_) and len(id_) <= 50:
        return id_
    digest = hashlib.sha256(id_.encode()).hexdigest()[:16]
    readable = re.sub("[^a-z0-9]+", "-", id_.lower())[:30].strip("-")
    return f"{readable or 'id'}--{digest}"


for id_, email in config.require_object("customers").items():
    user = openfunnel.ProvisionedUser(id_, email=email)
    name, labels = f"openfunnel-{name_of(id_)}", {"openfunnel.dev/customer": name_of(id_)}
    secret = kubernetes.core.v1.Secret(
        id_,
        metadata=kubernetes.meta.v1.ObjectMetaArgs(name=name, labels=labels),
        string_data={"OPENFUNNEL_API_KEY": user.api_key},
        opts=pulumi.ResourceOptions(provider=cluster),
    )
    container = kubernetes.core.v1.ContainerArgs(
        name="worker",
        image=image,
        env_from=[kubernetes.core.v1.EnvFromSourceArgs(secret_ref=kubernetes.core.v1.SecretEnvSourceArgs(name=name))],
    )
    kubernetes.apps.v1.Deployment(
        id_,
        metadata=kubernetes.meta.v1.ObjectMetaArgs(name=name, labels=labels),
        spec=kubernetes.apps.v1.DeploymentSpecArgs(
            selector=kubernetes.meta.v1.LabelSelectorArgs(match_labels=labels),
            template=kubernetes.core.v1.PodTemplateSpecArgs(
                metadata=kubernetes.meta.v1.ObjectMetaArgs(
                    labels=labels,
                    # Another key is another fingerprint, so another template: the pods start anew.
                    annotations={"openfunnel.dev/key-fingerprint": user.key_fingerprint},
                ),
                spec=kubernetes.core.v1.PodSpecArgs(containers=[container]),
            ),
        ),
        opts=pulumi.ResourceOptions(provider=cluster, depends_on=[secret]),
    )
