from django.urls import URLPattern, URLResolver, path

from .views import edits, exports, home, marks, notifications, profile, saved, search, theme, tokens, trash

app_name = "workspace"
urlpatterns: list[URLPattern | URLResolver] = [
    path("", home.Home.as_view(), name="home"),
    path("search/", search.Search.as_view(), name="search"),
    path("theme.css", theme.theme, name="theme"),
    path("manifest.webmanifest", theme.manifest, name="manifest"),
    path("profile/", profile.profile, name="profile"),
    path("profile/appearance/", profile.appearance, name="appearance"),
    path("profile/tokens/", tokens.tokens, name="tokens"),
    path("profile/tokens/<int:pk>/revoke/", tokens.revoke, name="token-revoke"),
    path("notifications/", notifications.listing, name="notifications"),
    path("notifications/menu/", notifications.menu, name="notifications-menu"),
    path("notifications/count/", notifications.unread_count, name="notifications-count"),
    path("notifications/read/", notifications.read_all, name="notifications-read"),
    path("notifications/<int:pk>/", notifications.open_one, name="notification"),
    path("marks/", marks.Favourites.as_view(), name="marks"),
    path("marks/seen/", marks.Seen.as_view(), name="mark-seen"),
    path("marks/star/", marks.Star.as_view(), name="mark-star"),
    path("exports/", exports.ExportList.as_view(), name="exports"),
    path("exports/<int:pk>/", exports.ExportPage.as_view(), name="export"),
    path("exports/<int:pk>/cancel/", exports.ExportCancel.as_view(), name="export-cancel"),
    path("exports/<int:pk>/file/", exports.ExportFile.as_view(), name="export-file"),
    path("edits/<int:pk>/", edits.EditPage.as_view(), name="edit"),
    path("edits/<int:pk>/cancel/", edits.EditCancel.as_view(), name="edit-cancel"),
    path("edits/<int:pk>/undo/", edits.EditUndo.as_view(), name="edit-undo"),
    path("trash/", trash.TrashList.as_view(), name="trash"),
    path("trash/<int:pk>/restore/", trash.TrashRestore.as_view(), name="trash-restore"),
    path("views/new/", saved.new, name="view-new"),
    path("views/<int:pk>/", saved.edit, name="view-edit"),
    path("views/<int:pk>/delete/", saved.delete, name="view-delete"),
]
