"""Which keys and components of a union each embodiment has, as masks for inputs and losses."""

from __future__ import annotations

from typing import Sequence

import torch
from torch import Tensor, nn

from policies.transforms import TransformChain
from robot.description import ActionSpec, EmbodimentSpec, ObservationSpec

EMBODIMENT = "embodiment"
"""The fact that is the number of an episode's embodiment."""


class Embodiments(nn.Module):
    """Masks of what each embodiment has.

    What an embodiment lacks is zero in what the network sees, with a flag beside it, and has no part in the loss: no
    gradient comes from it.

    Args:
        specs: of the embodiments.
        chain: transforms from the union.
        raw: the union's actions.
        learnt: specs of what leaves the transforms.

    Attributes:
        keys: (E, K) bool, of the observation that leaves the transforms.
        components: (E, D) bool, of the actions that are learnt.
    """

    keys: Tensor
    components: Tensor
    flags: Tensor

    def __init__(self, specs: Sequence[EmbodimentSpec], chain: TransformChain) -> None:
        super().__init__()
        observation, action = chain.outgoing
        self.specs, self.names, self.action = tuple(specs), observation.names, action
        self.raw = chain.action
        seen = [_names_seen(spec, chain) for spec in specs]
        self.register_buffer("keys", torch.tensor([[key in names for key in self.names] for names in seen]), False)
        fields = torch.tensor([[field.name in spec.fields for field in action.fields] for spec in specs])
        sizes = torch.tensor([field.size for field in action.fields])
        self.register_buffer("components", fields.repeat_interleave(sizes, dim=1), False)
        self.register_buffer("flags", torch.cat([self.keys, fields], dim=1).float(), False)

    def there(self, embodiment: Tensor) -> dict[str, Tensor]:
        """Key -> (B,) whether a row of an embodiment (B,) has it."""
        return dict(zip(self.names, self.keys[embodiment].unbind(1)))

    def learnt(self, number: int) -> Tensor:
        """The components of learnt actions that an embodiment has, in the order of its own fields."""
        return torch.tensor(self.specs[number].components(self.action), device=self.components.device)

    def own(self, number: int) -> Tensor:
        """The same of raw actions."""
        return torch.tensor(self.specs[number].components(self.raw), device=self.components.device)


def _names_seen(spec: EmbodimentSpec, chain: TransformChain) -> set[str]:
    """Keys of what leaves the transforms for one embodiment, which must fit it by themselves."""
    observation = ObservationSpec(tuple(chain.observation[name] for name in spec.keys.values()))
    action: ActionSpec = spec.action(chain.action)
    return set(TransformChain(chain.transforms, observation, action).outgoing[0].names)
