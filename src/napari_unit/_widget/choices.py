"""The drop-down lists of the dock widget."""

import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from napari.layers import Image
from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QSizePolicy, QWidget

from napari_unit._widget.options import Option
from napari_unit.domains import Domain
from napari_unit.models.zoo import ModelEntry, find_model, list_models


class Choice(QComboBox):
    """A drop-down list that does not widen the dock for a long entry."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(10)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def offer(self, options: Iterable[Option]) -> None:
        """Offer other options, each explained when the mouse rests on it; tells nobody."""
        blocked = self.blockSignals(True)
        self.clear()
        for value, text, meaning in options:
            self.addItem(text, value)
            self.setItemData(self.count() - 1, meaning, Qt.ItemDataRole.ToolTipRole)
        self.blockSignals(blocked)


class OptionChoice(Choice):
    """A choice between a setting's values, each explained when the mouse rests on it."""

    def __init__(self, options: Iterable[Option], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.offer(options)

    @property
    def value(self) -> Any:
        """The chosen value."""
        return self.currentData()


class LayerChoice(Choice):
    """A choice between the image layers of a viewer, the top one first.

    Parameters
    ----------
    layers
        The viewer's layer list.
    active
        Layer to choose first, where it is an image.
    """

    changed = Signal()
    """Another layer is chosen, or the chosen one has changed."""

    def __init__(self, layers: Any, active: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer_layers = layers
        self._layers: list[Image] = []
        self._watched: Image | None = None
        self._heard: list[Image] = []
        events = layers.events
        for name in {"inserted", "removed", "reordered", "renamed"} & set(events.emitters):
            getattr(events, name).connect(self.reload)
        # older versions of napari tell of a new name at the layer alone
        self._list_tells_names = "renamed" in events.emitters
        self.reload()
        active = getattr(active, "__wrapped__", active)
        if active in self._layers:
            self.setCurrentIndex(self._layers.index(active))
        self.currentIndexChanged.connect(self._follow)
        self._follow()

    @property
    def layer(self) -> Image | None:
        """The chosen layer."""
        index = self.currentIndex()
        return self._layers[index] if 0 <= index < len(self._layers) else None

    def reload(self, event: Any = None) -> None:
        """List the viewer's image layers anew; the choice stays while its layer is there."""
        chosen = self.layer
        # a plugin gets the viewer behind a proxy, which hides what a layer is
        found = [getattr(layer, "__wrapped__", layer) for layer in self._viewer_layers]
        self._layers = [layer for layer in reversed(found) if isinstance(layer, Image)]
        if not self._list_tells_names:
            self._hear_names()
        blocked = self.blockSignals(True)
        self.clear()
        self.addItems([layer.name for layer in self._layers])
        if chosen in self._layers:
            self.setCurrentIndex(self._layers.index(chosen))
        self.blockSignals(blocked)
        self._follow()

    def _hear_names(self) -> None:
        """Follow the names of the layers that are there, and of no others."""
        for layer in self._heard:
            layer.events.name.disconnect(self.reload)
        for layer in self._layers:
            layer.events.name.connect(self.reload)
        self._heard = list(self._layers)

    def _follow(self) -> None:
        self._watch(self.layer)
        self.changed.emit()

    def _watch(self, layer: Image | None) -> None:
        if layer is self._watched:
            return
        if self._watched is not None:
            self._watched.events.data.disconnect(self._tell)
            self._watched.events.axis_labels.disconnect(self._tell)
        if layer is not None:
            layer.events.data.connect(self._tell)
            layer.events.axis_labels.connect(self._tell)
        self._watched = layer

    def _tell(self, event: Any = None) -> None:
        self.changed.emit()


class ModelChoice(Choice):
    """A choice between the models of the zoo and the files that were opened.

    It follows the images: the model that a person wants is shown where it takes images of so many
    channels or no model does, else the first that takes them.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._opened: list[ModelEntry] = []
        self._entries: list[ModelEntry] = []
        self._wanted: Path | None = None
        self._n_channels: int | None = None
        self.problems: tuple[str, ...] = ()
        self.activated.connect(self._heed)
        self.reload()

    @property
    def entry(self) -> ModelEntry | None:
        """The chosen model."""
        index = self.currentIndex()
        return self._entries[index] if 0 <= index < len(self._entries) else None

    @property
    def entries(self) -> tuple[ModelEntry, ...]:
        """All models to choose from, in order."""
        return tuple(self._entries)

    def showPopup(self) -> None:
        """Look for new models before the list opens: one may have been trained meanwhile."""
        self.reload()
        super().showPopup()

    def reload(self) -> None:
        """List the models anew; the choice stays while its file is there.

        `problems` then has a sentence for each file that cannot be read.
        """
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found = list_models()
        self.problems = tuple(str(warning.message) for warning in caught)
        in_zoo = {entry.path for entry in found}
        self._show([*found, *(entry for entry in self._opened if entry.path not in in_zoo)])

    def open_file(self, path: Path) -> None:
        """Add the model of a file and choose it.

        Raises
        ------
        napari_unit.models.card.ModelFileError
            If the file is no model or a damaged one.
        """
        entry = find_model(path.resolve())
        self._opened = [e for e in self._opened if e.path != entry.path] + [entry]
        self.reload()
        self.choose(entry.path)

    def choose(self, path: Path) -> None:
        """Choose the model of a file that is in the list, whatever images it takes."""
        self.setCurrentIndex([entry.path for entry in self._entries].index(path))
        self._wanted = path

    def prefer(self, path: Path) -> None:
        """Choose the model of a file wherever it takes the images."""
        self._wanted = path
        self._settle()

    def suit(self, n_channels: int) -> None:
        """Follow images to another number of channels; tells nobody."""
        if n_channels == self._n_channels:
            return
        self._n_channels = n_channels
        blocked = self.blockSignals(True)
        self._settle()
        self.blockSignals(blocked)

    def _heed(self) -> None:
        """Keep what a person has chosen from the list."""
        self._wanted = None if self.entry is None else self.entry.path

    def _settle(self) -> None:
        paths = [entry.path for entry in self._entries]
        fitting = [entry.path for entry in self._entries if self._takes_images(entry)] or paths
        if self._wanted in fitting:
            self.setCurrentIndex(paths.index(self._wanted))
        elif fitting and (self.entry is None or self.entry.path not in fitting):
            self.setCurrentIndex(paths.index(fitting[0]))

    def _takes_images(self, entry: ModelEntry) -> bool:
        return any(domain.n_channels == self._n_channels for domain in entry.card.domains)

    def _show(self, entries: list[ModelEntry]) -> None:
        if entries == self._entries:
            return
        chosen = self.entry
        blocked = self.blockSignals(True)
        self._entries = entries
        self.clear()
        for index, entry in enumerate(entries):
            self.addItem(entry.name)
            told = f"{entry.card.description}\n{entry.path}".strip()
            self.setItemData(index, told, Qt.ItemDataRole.ToolTipRole)
        paths = [entry.path for entry in entries]
        if chosen is not None and chosen.path in paths:
            self.setCurrentIndex(paths.index(chosen.path))
        else:
            self._settle()
        self.blockSignals(blocked)
        self.currentIndexChanged.emit(self.currentIndex())


class DirectionChoice(Choice):
    """A choice between the two directions of a model, by the names of its domains."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._domains: tuple[Domain, ...] = ()

    def offer_between(self, domains: tuple[Domain, Domain] | None, n_channels: int | None) -> None:
        """Offer the directions between two domains, or none.

        The chosen direction stays, unless only the other one can start from an image of
        `n_channels` channels.
        """
        offered = domains or ()
        blocked = self.blockSignals(True)
        if offered != self._domains:
            self._domains = offered
            self.clear()
            for source, target in zip(offered, offered[::-1], strict=True):
                self.addItem(f"{source.name} → {target.name}")
        fitting = [i for i, domain in enumerate(offered) if domain.n_channels == n_channels]
        if fitting and self.currentIndex() not in fitting:
            self.setCurrentIndex(fitting[0])
        self.blockSignals(blocked)

    @property
    def source(self) -> Domain | None:
        """The domain that the layer belongs to."""
        index = self.currentIndex()
        return self._domains[index] if 0 <= index < len(self._domains) else None

    @property
    def target(self) -> Domain | None:
        """The domain to translate to."""
        index = self.currentIndex()
        return self._domains[1 - index] if 0 <= index < len(self._domains) else None
