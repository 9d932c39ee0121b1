from django.urls import URLPattern, URLResolver, path

from contacts.models import Company
from contacts.views import (
    attachments,
    custom_fields,
    duplicates,
    editing,
    field_layouts,
    formula_preview,
    history,
    imports,
    inline,
    interactions,
    lifecycle,
    lists,
    lookup,
    merging,
    panels,
    quality,
    quality_more,
    quick,
    records,
    segments,
    tag_inputs,
    tags,
    task_list,
    tasks,
    timeline,
    today,
)
from contacts.views.parts import part_urls
from contacts.views.people_parts import PEOPLE_PARTS
from contacts.views.place_parts import PLACE_PARTS

app_name = "contacts"
Patterns = list[URLPattern | URLResolver]

_contacts: Patterns = [
    path("contacts/", lists.ContactList.as_view(), name="list"),
    path("contacts/new/", editing.New.as_view(), name="new"),
    path("contacts/check/", editing.Check.as_view(), name="check"),
    path("contacts/lookup/", lookup.Lookup.as_view(), name="contact-lookup"),
    path("contacts/<int:pk>/", records.ContactPage.as_view(), name="contact"),
    path("contacts/<int:pk>/card/", records.ContactCard.as_view(), name="contact-card"),
    path("contacts/<int:pk>/merge/", merging.Merge.as_view(), name="contact-merge"),
    path("contacts/<int:pk>/edit/", editing.Edit.as_view(), name="edit"),
    path("contacts/<int:pk>/delete/", editing.Delete.as_view(), name="contact-delete"),
    path("contacts/<int:pk>/field/<slug:name>/", inline.FieldEdit.as_view(), name="contact-field"),
    path("contacts/<int:pk>/timeline/", timeline.Timeline.as_view(), name="contact-timeline"),
    path("contacts/<int:pk>/history/", history.History.as_view(), name="contact-history"),
    path("contacts/<int:pk>/log/<slug:kind>/", quick.QuickAdd.as_view(), name="contact-log"),
    path("contacts/<int:pk>/tasks/", panels.ContactTasks.as_view(), name="contact-tasks"),
    path("contacts/<int:pk>/details/", panels.ContactDetails.as_view(), name="contact-details"),
    path("contacts/<int:pk>/lifecycle/", lifecycle.LifecyclePanel.as_view(), name="contact-lifecycle"),
    path("contacts/<int:pk>/stage/", lifecycle.StageChange.as_view(), name="contact-stage"),
    path("contacts/<int:pk>/messages/", panels.ContactMessages.as_view(), name="contact-messages"),
]
_companies: Patterns = [
    path("companies/", lists.CompanyList.as_view(), name="companies"),
    path("companies/new/", editing.CompanyNew.as_view(), name="company-new"),
    path("companies/check/", editing.CompanyCheck.as_view(), name="company-check"),
    path("companies/lookup/", lookup.Lookup.as_view(model=Company), name="company-lookup"),
    path("companies/<int:pk>/", records.CompanyPage.as_view(), name="company"),
    path("companies/<int:pk>/merge/", merging.CompanyMerge.as_view(), name="company-merge"),
    path("companies/<int:pk>/edit/", editing.CompanyEdit.as_view(), name="company-edit"),
    path("companies/<int:pk>/delete/", editing.CompanyDelete.as_view(), name="company-delete"),
    path("companies/<int:pk>/field/<slug:name>/", inline.CompanyFieldEdit.as_view(), name="company-field"),
    path("companies/<int:pk>/timeline/", timeline.Timeline.as_view(model=Company), name="company-timeline"),
    path("companies/<int:pk>/history/", history.CompanyHistory.as_view(), name="company-history"),
    path("companies/<int:pk>/log/<slug:kind>/", quick.CompanyQuickAdd.as_view(), name="company-log"),
    path("companies/<int:pk>/people/", panels.CompanyPeople.as_view(), name="company-people"),
    path("companies/<int:pk>/tree/", panels.CompanyTreePanel.as_view(), name="company-tree"),
    path("companies/<int:pk>/jobs/", panels.CompanyJobs.as_view(), name="company-jobs"),
    path("companies/<int:pk>/tasks/", panels.CompanyTasks.as_view(), name="company-tasks"),
    path("companies/<int:pk>/details/", panels.CompanyDetails.as_view(), name="company-details"),
]
_work: Patterns = [
    path("tasks/", task_list.TaskList.as_view(), name="tasks"),
    path("tasks/new/", tasks.TaskNew.as_view(), name="task-new"),
    path("tasks/<int:pk>/", tasks.TaskPage.as_view(), name="task"),
    path("tasks/<int:pk>/complete/", tasks.Complete.as_view(), name="task-complete"),
    path("tasks/<int:pk>/cancel/", tasks.Cancel.as_view(), name="task-cancel"),
    path("tasks/<int:pk>/reopen/", tasks.Reopen.as_view(), name="task-reopen"),
    path("tasks/<int:pk>/delete/", tasks.Delete.as_view(), name="task-delete"),
    path("interactions/", interactions.InteractionList.as_view(), name="interactions"),
    path("interactions/<int:pk>/", interactions.InteractionPage.as_view(), name="interaction"),
    path(
        "interactions/<int:pk>/delete/", interactions.InteractionDelete.as_view(), name="interaction-delete"
    ),
    path("today/start/", today.TodayStart.as_view(), name="today-start"),
    path("today/tasks/", today.TodayTasks.as_view(), name="today-tasks"),
    path("today/meetings/", today.TodayMeetings.as_view(), name="today-meetings"),
    path("today/customers/", today.TodayCustomers.as_view(), name="today-customers"),
]
_duplicates: Patterns = [
    path("duplicates/", duplicates.DuplicateList.as_view(), name="duplicates"),
    path("duplicates/search/", duplicates.Search.as_view(), name="duplicates-search"),
    path("duplicates/exact/", duplicates.MergeExact.as_view(), name="duplicates-exact"),
    path("duplicates/<int:pk>/dismiss/", duplicates.Decide.as_view(), name="duplicate-dismiss"),
    path("merges/<int:pk>/", merging.MergePage.as_view(), name="merge"),
    path("merges/<int:pk>/undo/", merging.MergeUndo.as_view(), name="merge-undo"),
]
_imports: Patterns = [
    path("imports/", imports.ImportList.as_view(), name="imports"),
    path("imports/new/", imports.NewImport.as_view(), name="import"),
    path("imports/<int:pk>/", imports.ImportJobPage.as_view(), name="import-job"),
    path("imports/<int:pk>/cancel/", imports.CancelImport.as_view(), name="import-cancel"),
    path("imports/<int:pk>/undo/", imports.UndoImport.as_view(), name="import-undo"),
    path("imports/<int:pk>/errors/", imports.ImportErrors.as_view(), name="import-errors"),
]
_files: Patterns = [
    path("files/<slug:about>/<int:pk>/", attachments.Files.as_view(), name="files"),
    path("files/<int:pk>/", attachments.Download.as_view(), name="file"),
    path("files/<int:pk>/remove/", attachments.Remove.as_view(), name="file-remove"),
    path("follow/<slug:about>/<int:pk>/", attachments.Follow.as_view(), name="follow"),
]
_parts: Patterns = [url for kind in (*PEOPLE_PARTS, *PLACE_PARTS) for url in part_urls(kind)]
_fields: Patterns = [
    path("fields/", custom_fields.CustomFields.as_view(), name="custom-fields"),
    path("fields/layout/", field_layouts.FieldLayoutPage.as_view(), name="field-layout"),
    path("fields/formula/", formula_preview.FormulaPreview.as_view(), name="formula-preview"),
    path("fields/new/", custom_fields.CustomFieldNew.as_view(), name="custom-field-new"),
    path("fields/<int:pk>/", custom_fields.CustomFieldEdit.as_view(), name="custom-field-edit"),
    path("fields/<int:pk>/archive/", custom_fields.CustomFieldArchive.as_view(), name="custom-field-archive"),
]
_segments: Patterns = [
    path("segments/", segments.SegmentList.as_view(), name="segments"),
    path("segments/new/", segments.New.as_view(), name="segment-new"),
    path("segments/preview/", segments.Preview.as_view(), name="segment-preview"),
    path("segments/<int:pk>/", segments.SegmentPage.as_view(), name="segment"),
    path("segments/<int:pk>/edit/", segments.Edit.as_view(), name="segment-edit"),
    path("segments/<int:pk>/refill/", segments.Refill.as_view(), name="segment-refill"),
    path("segments/<int:pk>/delete/", segments.Delete.as_view(), name="segment-delete"),
]
urlpatterns: Patterns = [
    *_contacts,
    *_companies,
    *_parts,
    *_files,
    *_work,
    *_imports,
    *_fields,
    *_duplicates,
    *_segments,
    path("tags/", tags.TagList.as_view(), name="tags"),
    path("tags/new/", tags.TagNew.as_view(), name="tag-new"),
    path("tags/proposals/", tag_inputs.TagProposals.as_view(), name="tag-proposals"),
    path("quality/", quality.QualityPage.as_view(), name="quality"),
    path("quality/trend/", quality_more.QualityTrend.as_view(), name="quality-trend"),
    path("quality/preview/", quality_more.RepairPreview.as_view(), name="quality-preview"),
]
