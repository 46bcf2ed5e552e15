"""What docs/recovery.md says to type when an update finds the state locked or torn."""

from __future__ import annotations

import shutil

from .commands import Done, Failed
from .project import STACK, UP, Project


def mend(project: Project, done: Done, stack: str = STACK) -> bool:
    """Take one step, by what an update said.

    Args:
        project: whose update it was.
        done: the update.
        stack: the stack that it updated.

    Returns:
        Whether there was something to do about the state.
    """
    state = project.checkpoint(stack)
    if "failed to load checkpoint: EOF" in done.output:
        state.with_name(f"{state.name}.attrs").unlink()
    elif "failed to load checkpoint" in done.output:
        shutil.copy(state.with_name(f"{state.name}.bak"), state)
    elif "the stack is currently locked" in done.output:
        project.pulumi("cancel", "--yes", stack)
    else:
        return False
    return True


def up_after_a_kill(project: Project) -> Done:
    """The update after one that was killed, perhaps within a state write.

    Raises:
        Failed: when it fails for another reason than the state.
    """
    while (done := project.up(check=False)).status:
        if not mend(project, done):
            raise Failed(UP, done)
    return done
