from django.urls import URLPattern, URLResolver, path

from .views import answers, case_list, cases, panels, public, survey_editor, survey_sending, surveys

app_name = "feedback"
urlpatterns: list[URLPattern | URLResolver] = [
    path("s/<str:token>/", public.survey_page, name="public"),
    path("surveys/", surveys.SurveyList.as_view(), name="surveys"),
    path("surveys/new/", surveys.SurveyNew.as_view(), name="survey-new"),
    path("surveys/<int:pk>/", surveys.SurveyPage.as_view(), name="survey"),
    path("surveys/<int:pk>/edit/", survey_editor.SurveyEdit.as_view(), name="survey-edit"),
    path("surveys/<int:pk>/preview/", survey_editor.SurveyPreview.as_view(), name="survey-preview"),
    path("surveys/<int:pk>/try/", survey_editor.SurveyTry.as_view(), name="survey-try"),
    path("surveys/<int:pk>/mail/", survey_editor.SurveyMail.as_view(), name="survey-mail"),
    path("surveys/<int:pk>/status/", surveys.SurveyStatus.as_view(), name="survey-status"),
    path("surveys/<int:pk>/delete/", surveys.SurveyDelete.as_view(), name="survey-delete"),
    path("surveys/<int:pk>/invitations/", survey_sending.InvitationList.as_view(), name="invitations"),
    path("surveys/<int:pk>/send/", survey_sending.SurveySend.as_view(), name="survey-send"),
    path(
        "surveys/<int:pk>/send/segment/",
        survey_sending.SurveySendSegment.as_view(),
        name="survey-send-segment",
    ),
    path("surveys/<int:pk>/link.svg", survey_sending.SurveyCode.as_view(), name="survey-code"),
    path("responses/", answers.AnswerList.as_view(), name="responses"),
    path("responses/<int:pk>/", answers.AnswerPage.as_view(), name="response"),
    path("responses/<int:pk>/mood/", answers.AnswerMood.as_view(), name="response-mood"),
    path("responses/<int:pk>/reply/", answers.AnswerReply.as_view(), name="response-reply"),
    path("cases/", case_list.CaseList.as_view(), name="cases"),
    path("cases/new/", cases.CaseNew.as_view(), name="case-new"),
    path("cases/<int:pk>/", cases.CasePage.as_view(), name="case"),
    path("cases/<int:pk>/note/", cases.CaseNote.as_view(), name="case-note"),
    path("cases/<int:pk>/edit/", cases.CaseEdit.as_view(), name="case-edit"),
    path("cases/<int:pk>/resolve/", cases.CaseResolve.as_view(), name="case-resolve"),
    path("cases/<int:pk>/reopen/", cases.CaseReopen.as_view(), name="case-reopen"),
    path("cases/<int:pk>/assign/", cases.CaseAssign.as_view(), name="case-assign"),
    *(
        path(f"cases/<int:pk>/{step}/", cases.CaseStep.as_view(), {"step": step}, name=f"case-{step}")
        for step in ("wait", "resume", "take", "close", "delete")
    ),
    path("panels/answers/contact/<int:pk>/", panels.ContactAnswers.as_view(), name="panel-answers"),
    path("panels/cases/contact/<int:pk>/", panels.ContactCases.as_view(), name="panel-cases"),
    path("panels/answers/company/<int:pk>/", panels.CompanyAnswers.as_view(), name="panel-company"),
    path("panels/answers/today/", panels.TodayAnswers.as_view(), name="panel-today-answers"),
    path("panels/cases/today/", panels.TodayCases.as_view(), name="panel-today-cases"),
    path("panels/mood/today/", panels.TodayMoods.as_view(), name="panel-today-moods"),
    path("contacts/<int:pk>/ask/", panels.AskContact.as_view(), name="ask"),
]
