"""What may stand in ``[[stage]]`` and ``[[use]]``: what a room does between fetch and the end."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from penstock.assembly.kinds import Section

Positive = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(ge=0, lt=1)]


class LabelStage(Section, frozen=True, kw_only=True, tag_field="kind", tag="label"):
    """A trained network answers for each record, and its answer lands with the record.

    Needs the extra ``neural``. The model's features are found in the record under their names, a
    name with dots in nested objects too: as ``penstock export --flatten`` names its columns.

    Attributes:
        model: A file of ``penstock neural train``, next to the pipeline file unless it is
            absolute.
        field: Name of the answer; for classes ``FIELD_probability`` stands beside it.
        unfit: What becomes of a record that lacks a feature: it fails with the reason, or lands
            as it came.
    """

    model: str
    field: str = "label"
    unfit: Literal["fail", "land"] = "fail"


class RiskUse(Section, frozen=True, kw_only=True, tag_field="kind", tag="risk"):
    """The risk of a portfolio, kept up to date while prices land: a JSON line after each record.

    Needs the extra ``portfolio``. Records are taken in the order they land, so that has to be the
    order of time: ``api.concurrency = 1``, or rows of pages. Where it stands is kept in a file
    beside ``path``.

    Attributes:
        weights: Weight of each asset, by the name its price has in the record.
        path: The file of JSON lines, likewise; where it stands is kept in ``PATH.place``.
        values: What the numbers are.
        at: Dotted path of the object with one number an asset; empty: the record itself.
        moment: Dotted path of the date or number that orders records; empty: the key.
        limit: Volatility a year that is watched: above it, and back below, is an event.
        decay: Forget by this factor a record (EWMA), such as ``0.94``.
        window: Remember so many returns; without either, all of them.
        scheme: Weights that stay, or that drift with the prices.
        periods: Records in a year; unset, read off the dates at `moment` as they come.
        ddof: Sums are divided by the number of returns minus this.
        cash: Whether the weights may sum to something else than one.
    """

    weights: dict[str, float]
    path: str
    values: Literal["prices", "returns", "log"] = "prices"
    at: str = ""
    moment: str = ""
    limit: Positive | None = None
    decay: Positive | None = None
    window: Count | None = None
    scheme: Literal["constant", "hold"] = "constant"
    periods: Positive | None = None
    ddof: Annotated[int, Meta(ge=0)] = 1
    cash: bool = False


class NeuralUse(Section, frozen=True, kw_only=True, tag_field="kind", tag="neural"):
    """A network learns from all that has landed, at the end of the run, for a `label` stage to use.

    Needs the extra `neural`. Members of a record are columns, nested ones by names with dots, as
    `penstock export --flatten` has them; words are categories, what is missing is taken for the
    median, lists are left away. A record without the label is left out. A network that learned
    nothing is not kept: what was at `path` stays, and the exit code is 1.

    Attributes:
        path: The file of the model, next to the pipeline file unless it is absolute.
        label: Dotted path of the member to learn.
        config: A TOML file, likewise, whose table `[neural]` says all the rest, as for
            `penstock neural train --config`.
        at: Dotted path of the object that holds the members; empty: the record itself.
        regress: Whether the label is a number to predict, not a class.
        features: The members to learn from; unset, all but the label.
        drop: Members to leave away.
        weights: The member that says how much a record counts.
        decimal: The decimal mark of numbers that are texts.
        hidden: Units of the hidden layers.
        activation: Of the hidden layers.
        learning_rate: Of each step.
        momentum: Share of the step before that goes on.
        batch_size: Records a step.
        decay: Weight decay.
        solver: How a step is taken.
        dropout: Share of the hidden layers' outputs that a step leaves out.
        epochs: The most epochs.
        patience: Epochs without a better validation loss before it stops.
        validation: Share of the records to stop by.
        split: Which records those are: drawn, or the last that landed.
        class_weight: Whether rare classes count more.
        many: Networks to average.
        seeds: So many trainings more, each of another seed and split, judge the choice; 0: none.
        folds: So many folds judge it in their place.
        seed: Of weights, shuffles and the held-out records.
        engine: What computes.
    """

    path: str
    label: str = ""
    config: str = ""
    at: str = ""
    regress: bool = False
    features: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    weights: str = ""
    decimal: Literal["", ".", ","] = ""
    hidden: tuple[Count, ...] = (100,)
    activation: Literal["tanh", "sigmoid", "relu"] = "relu"
    learning_rate: Positive = 0.01
    momentum: Share = 0.9
    batch_size: Count = 10
    decay: Annotated[float, Meta(ge=0)] = 0.0
    solver: Literal["sgd", "adam"] = "sgd"
    dropout: Share = 0.0
    epochs: Count = 200
    patience: Count = 50
    validation: Share = 0.15
    split: Literal["random", "time"] = "random"
    class_weight: Literal["balanced"] | None = None
    many: Count = 1
    seeds: Annotated[int, Meta(ge=0)] = 0
    folds: Annotated[int, Meta(ge=0)] = 0
    seed: Annotated[int, Meta(ge=0)] = 0
    engine: Literal["auto", "numpy", "jax"] = "auto"


class EditionUse(Section, frozen=True, kw_only=True, tag_field="kind", tag="edition"):
    """Articles that landed become today's edition at the end of the run: a dated EPUB.

    Needs the extra ``reading``. An edition holds what landed since the one of an earlier day;
    running again on the same day makes it again. Which article comes next is kept in a file beside
    the editions.

    Attributes:
        body: Dotted path of the text of an article; a record without one is left out.
        folder: Where editions go, likewise; it is made.
        name: Name of the edition, before its date.
        form: What ``body`` is: a piece of HTML, a whole page to be cut down to its article,
            Markdown, or plain text.
        title: Dotted path of the title; without one, the key.
        url: Dotted path of the address.
        author: Dotted path of the author.
        published: Dotted path of the date, as it is to be shown.
        pictures: Whether the pictures of articles are fetched.
        by_site: Whether the articles of one site stand together.
        width: Width of a line: characters, em (``17em``), or ``glance``, ``span``, ``comfort``.
        guide: How the word in the middle is marked.
        device: Keep to what this device can show.
    """

    body: str
    folder: str = "."
    name: str = "Articles"
    form: Literal["html", "page", "markdown", "text"] = "html"
    title: str = "title"
    url: str = "url"
    author: str = "author"
    published: str = "published"
    pictures: bool = False
    by_site: bool = False
    width: str = "30"
    guide: Literal["bold", "colour", "underline", "none"] = "bold"
    device: Literal["kindle", "kobo", "koreader", "web"] | None = None

    @property
    def target(self) -> str:
        """What it writes, to be told from what others write."""
        return f"{self.folder}/{self.name}"


class JavaDataUse(Section, frozen=True, kw_only=True, tag_field="kind", tag="javadata"):
    """All that has landed as a file of Java's DataOutputStream, written at the end of the run.

    Attributes:
        schema: As for the source; ``key`` is the key, where the record has no such member.
        path: The file, likewise; it is replaced at the end of each run.
    """

    schema: str
    path: str
