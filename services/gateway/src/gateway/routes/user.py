"""What belongs to the person who asks: the arrangement of the home board, and settings (R-170, R-239 to R-241)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from modeldeck_events import users as u
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, model_validator

from gateway.boards.users import COLUMNS
from gateway.context import PrincipalDep, ReadyDep, json_answer, read_answer
from gateway.past import ViewDep
from gateway.routes.shapes import Shape

MAX_WIDGETS = 100
MAX_ROWS = 1000

router = APIRouter(prefix="/user", tags=["user"])

Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class Place(BaseModel):
    """Where a widget stands: column and row from 0, width and height in cells."""

    model_config = ConfigDict(extra="forbid", strict=True)

    widget: Name
    x: int = Field(ge=0, lt=COLUMNS)
    y: int = Field(ge=0, lt=MAX_ROWS)
    w: int = Field(ge=1, le=COLUMNS)
    h: int = Field(ge=1, le=20)

    @model_validator(mode="after")
    def _on_the_board(self) -> Place:
        if self.x + self.w > COLUMNS:
            raise ValueError(f"the board has {COLUMNS} columns; x + w must not be more")
        return self


class Arrangement(BaseModel):
    """The whole board: what is not named is hidden. `layout_json` and `widget_settings_json` are taken too."""

    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    layout: list[Place] = Field(max_length=MAX_WIDGETS, validation_alias=AliasChoices("layout", "layout_json"))
    widget_settings: dict[Name, dict[str, Any]] = Field(
        default_factory=dict,
        max_length=MAX_WIDGETS,
        validation_alias=AliasChoices("widget_settings", "widget_settings_json"),
    )

    @model_validator(mode="after")
    def _each_once(self) -> Arrangement:
        names = [place.widget for place in self.layout]
        if len(set(names)) < len(names):
            raise ValueError("each widget stands on the board once")
        return self


class UserDashboard(Shape):
    """The user's board; `is_default` while he has not arranged his own."""

    id: str
    user_id: str
    layout: list[Place]
    layout_json: list[Place]
    widget_settings: dict[str, Any]
    widget_settings_json: dict[str, Any]
    is_default: bool
    columns: int
    created_at: str | None = None
    updated_at: str | None = None


class UserSettings(BaseModel):
    """Settings that are changed; a page may keep further ones of its own."""

    model_config = ConfigDict(extra="allow", strict=True)

    show_featured_models: bool | None = None


class UserSettingsShown(Shape):
    """All settings, each with its default where the user has not chosen."""

    show_featured_models: bool


@router.get("/dashboard", response_model=UserDashboard)
async def get_dashboard(request: Request, view: ViewDep, principal: PrincipalDep) -> Response:
    """Return the user's board, or the default one."""
    return read_answer(request, view.boards.users.dashboard(principal.name))


@router.put("/dashboard", response_model=UserDashboard)
async def put_dashboard(gateway: ReadyDep, principal: PrincipalDep, body: Arrangement) -> Response:
    """Keep the whole board as it is sent."""
    event = u.DashboardArranged(
        user_id=principal.name,
        layout=tuple(u.WidgetPlace(**place.model_dump()) for place in body.layout),
        widget_settings=body.widget_settings,
    )
    await gateway.user_facts.append(event, actor=principal.actor)
    return json_answer(gateway.boards.users.dashboard(principal.name))


@router.delete("/dashboard", response_model=UserDashboard)
async def reset_dashboard(gateway: ReadyDep, principal: PrincipalDep) -> Response:
    """Go back to the default board."""
    await gateway.user_facts.append(u.DashboardReset(user_id=principal.name), actor=principal.actor)
    return json_answer(gateway.boards.users.dashboard(principal.name))


@router.get("/settings", response_model=UserSettingsShown)
async def get_settings(request: Request, view: ViewDep, principal: PrincipalDep) -> Response:
    """Return the user's settings."""
    return read_answer(request, view.boards.users.settings(principal.name))


@router.put("/settings", response_model=UserSettingsShown)
async def put_settings(gateway: ReadyDep, principal: PrincipalDep, body: UserSettings) -> Response:
    """Change the settings that are sent; a null takes one back to its default, the others stay."""
    changes = body.model_dump(exclude_unset=True)
    kept = gateway.boards.users.chosen(principal.name) | changes
    settings = {name: value for name, value in kept.items() if value is not None}
    event = u.SettingsChanged(user_id=principal.name, settings=settings)
    await gateway.user_facts.append(event, actor=principal.actor)
    return json_answer(gateway.boards.users.settings(principal.name))
