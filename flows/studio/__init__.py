"""The studio: a web app on this machine over the same configs, runs and dataset folders as the command.

A part is a module with a `router`, which `app.py` includes. What a handler needs:

- `page(request, "look.html", name=name, ...)` of `pages.py`; the template extends `dataset_frame.html` (block `tab`) for
  a dataset, else `frame.html` (block `content`). In it: `t("English words")`, `{{ form_token() }}` in each form that
  posts, `url_of("d", name)`, `{{ text | markdown }}`, `here`; scripts of one's own in block `head`, from `/static/`;
- `TheStudio` and, below `/d/{name}`, `DatasetFolder` of `state.py`: a path that lies in the studio's folders;
- a `ConfigError` that is raised is a page that says it. Handlers that wait are `def`, so that nothing is held up;
- what is posted by a script brings along `X-CSRF-Token`, from `<meta name="csrf-token">`; htmx does so by itself;
- words in other languages stand in `messages/<language>/<part>.yaml`.
"""
