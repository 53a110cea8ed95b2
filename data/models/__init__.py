"""The nouns as tables. Numbers (`id`) are ours; `key` is the publisher's own string."""

from data.models.news import Article, ArticleName, Feed, Source, Story, StoryApart
from data.models.parts import DELIVERY_STATES, TOLD
from data.models.people import Change, Key, Person, Secret, SignInFailure, WebSession
from data.models.policy import PolicyDraft, PolicyVersion, Tick
from data.models.push import Alert, Broadcast, Campaign, Claimed, Delivery, DeliveryEvent, PaceState, Plan, Waiting
from data.models.ranking import Draft, Experiment, Persona, ReachTarget, Rule, WeightSet
from data.models.reading import Device, Event, Reader, Served
from data.models.running import Command, Counter, Lease, Replay

__all__ = [
    "DELIVERY_STATES",
    "TOLD",
    "Alert",
    "Article",
    "ArticleName",
    "Broadcast",
    "Campaign",
    "Change",
    "Claimed",
    "Command",
    "Counter",
    "Delivery",
    "DeliveryEvent",
    "Device",
    "Draft",
    "Event",
    "Experiment",
    "Feed",
    "Key",
    "Lease",
    "PaceState",
    "Person",
    "Persona",
    "Plan",
    "PolicyDraft",
    "PolicyVersion",
    "ReachTarget",
    "Reader",
    "Replay",
    "Rule",
    "Secret",
    "Served",
    "SignInFailure",
    "Source",
    "Story",
    "StoryApart",
    "Tick",
    "Waiting",
    "WebSession",
    "WeightSet",
]
