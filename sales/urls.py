from django.urls import URLPattern, URLResolver, path

from sales.views import board, closing, deal, deals, editing, panels, pipelines

app_name = "sales"

urlpatterns: list[URLPattern | URLResolver] = [
    path("deals/", deals.DealList.as_view(), name="deals"),
    path("deals/board/", board.Board.as_view(), name="board"),
    path("deals/board/columns/<int:pk>/", board.BoardColumn.as_view(), name="board-column"),
    path("deals/board/columns/<int:pk>/new/", board.Quick.as_view(), name="board-quick"),
    path("deals/new/", editing.DealNew.as_view(), name="deal-new"),
    path("deals/panels/today/", panels.TodayPanel.as_view(), name="panel-today"),
    path("deals/panels/contact/<int:pk>/", panels.ContactPanel.as_view(), name="panel-contact"),
    path("deals/panels/company/<int:pk>/", panels.CompanyPanel.as_view(), name="panel-company"),
    path("deals/<int:pk>/", deal.DealPage.as_view(), name="deal"),
    path("deals/<int:pk>/edit/", editing.DealEdit.as_view(), name="deal-edit"),
    path("deals/<int:pk>/fact/<slug:name>/", editing.DealFact.as_view(), name="deal-fact"),
    path("deals/<int:pk>/delete/", editing.DealDelete.as_view(), name="deal-delete"),
    path("deals/<int:pk>/people/", editing.Members.as_view(), name="deal-people"),
    path("deals/<int:pk>/place/", board.Place.as_view(), name="deal-place"),
    path("deals/<int:pk>/move/", closing.Move.as_view(), name="deal-move"),
    path("deals/<int:pk>/win/", closing.Win.as_view(), name="deal-win"),
    path("deals/<int:pk>/lose/", closing.Lose.as_view(), name="deal-lose"),
    path("deals/<int:pk>/reopen/", closing.Reopen.as_view(), name="deal-reopen"),
    path("deals/<int:pk>/timeline/", deal.DealTimeline.as_view(), name="deal-timeline"),
    path("deals/<int:pk>/log/", deal.DealLog.as_view(), name="deal-log"),
    path("deals/<int:pk>/tasks/", deal.DealTask.as_view(), name="deal-task"),
    path("deals/<int:pk>/tasks/<int:task>/done/", deal.DealTaskDone.as_view(), name="deal-task-done"),
    path("pipelines/", pipelines.Pipelines.as_view(), name="pipelines"),
    path("pipelines/new/", pipelines.PipelineForm.as_view(), name="pipeline-new"),
    path("pipelines/<int:pk>/", pipelines.PipelineForm.as_view(), name="pipeline"),
    path("pipelines/<int:pk>/delete/", pipelines.PipelineDelete.as_view(), name="pipeline-delete"),
]
