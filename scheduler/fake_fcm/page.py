"""The pages: a list of phones and one phone's screen, plain HTML that loads nothing."""

from datetime import timedelta

from jinja2 import Environment

from scheduler.fake_fcm.service import Service

HTML = "text/html; charset=UTF-8"
LISTED = 100
_ENVIRONMENT = Environment(autoescape=True)
_FRAME = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{{ title }} - fake FCM</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
 :root { color-scheme: light dark; --line: #8884; --soft: #8882; }
 body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
 h1 { font-size: 1.4rem; } table { border-collapse: collapse; width: 100%; }
 th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line); }
 td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
 code { background: var(--soft); padding: .1rem .3rem; border-radius: .25rem; overflow-wrap: anywhere; }
 .counts { display: flex; flex-wrap: wrap; gap: .5rem 1.5rem; padding: 0; list-style: none; }
 .screen { border: 1px solid var(--line); border-radius: 1.5rem; max-width: 26rem; padding: 1rem; min-height: 16rem;
  background: var(--soft); }
 .note { background: Canvas; border-radius: .9rem; padding: .7rem .9rem; margin-bottom: .6rem; unicode-bidi: isolate; }
 .note h2 { font-size: 1rem; margin: 0 0 .2rem; } .note p { margin: 0 0 .3rem; }
 .small { font-size: .85rem; opacity: .85; } .bad { color: #c22; font-weight: 600; }
 form { display: inline; } input, button { font: inherit; padding: .25rem .6rem; }
</style></head><body>{{ content }}</body></html>"""
_PHONES = """<h1>Phones</h1>
<ul class="counts"><li>{{ log.posts }} sends</li><li>{{ log.accepted }} accepted</li>
{% for name, number in log.answers.most_common() %}<li><code>{{ name }}</code> {{ number }}</li>{% endfor %}
<li>{{ log.connections }} connections</li></ul>
<p class="small">Send to <code>{{ addresses[1] }}</code> (TLS) or <code>{{ addresses[0] }}</code>.
{% if doubled %}<span class="bad">{{ doubled }} phones show a story twice.</span>{% else %}No phone shows a story
twice.{% endif %}</p>
<form><label>Device <input name="q" value="{{ wanted }}"></label> <button>Find</button></form>
<table><thead><tr><th>Device</th><th>Last shown</th><th class="n">Shown</th><th class="n">Waiting</th>
<th class="n">Replaced</th></tr></thead><tbody>
{% for device, one in rows %}<tr><td><a href="/phones/{{ device|urlencode }}">{{ device[:40] }}</a>
{% if not one.is_online %}(offline){% endif %}</td>
<td dir="auto">{{ (one.shown.values()|list)[-1].title if one.shown else "" }}</td>
<td class="n">{{ one.shown|length }}</td><td class="n">{{ one.waiting|length }}</td>
<td class="n">{{ one.replaced }}</td></tr>
{% else %}<tr><td colspan="5">Nothing was sent yet.</td></tr>{% endfor %}</tbody></table>
{% if more %}<p class="small">{{ more }} more; find one by the beginning of its id.</p>{% endif %}"""
_PHONE = """<p><a href="/">Phones</a></p><h1>{{ device[:80] }}</h1>
<p>{{ "Online" if one.is_online else "Offline" }}
<form method="post"><input type="hidden" name="online" value="{{ "false" if one.is_online else "true" }}">
<button>{{ "Go offline" if one.is_online else "Come online" }}</button></form></p>
<div class="screen">{% for note in shown %}<article class="note" dir="auto"><h2>{{ note.title }}</h2>
{% if note.body %}<p>{{ note.body }}</p>{% endif %}
<p class="small" dir="ltr">{{ age(note) }} ago{% if note.tag %} · tag <code>{{ note.tag }}</code>{% endif %}
{% if note.link %} · <code>{{ note.link }}</code>{% endif %}{% if note.image %} · with a picture{% endif %}</p>
</article>
{% else %}<p>The screen is empty.</p>{% endfor %}</div>
<ul class="counts"><li>{{ one.arrived }} arrived</li><li>{{ one.waiting|length }} waiting</li>
<li>{{ one.replaced }} replaced</li><li>{{ one.collapsed }} collapsed</li><li>{{ one.expired }} expired</li>
<li>{{ one.dropped }} dropped</li></ul>"""
_MISSING = """<p><a href="/">Phones</a></p><h1>No such phone</h1>
<p>Nothing was sent to <code>{{ device[:80] }}</code>.</p>"""
_frame, _phones, _phone, _missing = (_ENVIRONMENT.from_string(one) for one in (_FRAME, _PHONES, _PHONE, _MISSING))


def phones(service: Service, addresses: tuple[str, str], wanted: str) -> str:
    """The list, newest first, those whose id begins with `wanted`."""
    found = [(name, one) for name, one in reversed(service.inbox.phones.items()) if name.startswith(wanted)]
    content = _phones.render(
        log=service.log,
        addresses=addresses,
        doubled=len(service.inbox.doubled()),
        wanted=wanted,
        rows=found[:LISTED],
        more=max(0, len(found) - LISTED),
    )
    return _framed("Phones", content)


def phone(service: Service, device: str) -> str:
    """One screen, newest on top."""
    one = service.inbox.phones[device]

    def age(note: object) -> str:
        return str(timedelta(seconds=int(service.now_s - note.at_s)))  # type: ignore[attr-defined]

    shown = list(reversed(one.shown.values()))
    return _framed(device[:40], _phone.render(device=device, one=one, shown=shown, age=age))


def missing(device: str) -> str:
    """The page of a phone that is not there."""
    return _framed("No such phone", _missing.render(device=device))


def _framed(title: str, content: str) -> str:
    from markupsafe import Markup

    return _frame.render(title=title, content=Markup(content))  # noqa: S704  rendered with escaping above
