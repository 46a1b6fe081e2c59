"""GetMetricWidgetImage over the wire: a picture of the points that GetMetricData answers, in every form."""

from __future__ import annotations

import base64
import http.client
import json
import re
import struct
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import urlencode

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from botocore.exceptions import ClientError

from mglab.localcloud.api import cloudwatch_picture
from mglab.localcloud.api.cloudwatch import CloudWatch
from mglab.localcloud.api.deferred import Deferred
from tests.local.front import KEY, LAB_EPOCH, Front, LabTime, open_front

LB = "net/MGLB/50dc6c495c0c9188"
FLOWS = ["AWS/NetworkELB", "NewFlowCount", "LoadBalancer", LB]
DELAY_S = 90.0


class Clouds:
    """A door with a CloudWatch behind it, on one clock; the balancing service only defers."""

    def __init__(self, front: Front, cloudwatch: CloudWatch, time: LabTime) -> None:
        self.front, self.cloudwatch, self.time = front, cloudwatch, time

    def flows(self, *values: float) -> None:
        """Publish a value a minute, the last of the minute that ends now."""
        for place, value in enumerate(values):
            at = self.time() - 60 * (len(values) - place)
            self.cloudwatch.record(FLOWS[0], FLOWS[1], {FLOWS[2]: LB}, value, "Count", at)

    def image(self, **widget: Any) -> bytes:
        document = json.dumps({"metrics": [FLOWS], "stat": "Sum", "period": 60, "start": "-PT30M", **widget})
        answer = self.front.client("cloudwatch").get_metric_widget_image(MetricWidget=document)
        return bytes(answer["MetricWidgetImage"])


class Slow:
    """Stands for a service whose answer takes long to finish."""

    def __init__(self) -> None:
        self.begun, self.go_on = Event(), Event()

    def describe_tags(self, params: dict[str, Any]) -> Deferred:
        return Deferred(self._finish)

    def describe_load_balancers(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"LoadBalancers": []}

    def _finish(self) -> dict[str, Any]:
        self.begun.set()
        assert self.go_on.wait(30)
        return {"TagDescriptions": []}


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def clouds(tmp_path: Path, slow: Slow) -> Iterator[Clouds]:
    time = LabTime()
    cloudwatch = CloudWatch(time, "000000000000", "us-east-1", publication_delay_s=DELAY_S)
    with open_front(tmp_path, cloudwatch=cloudwatch, elbv2=slow) as front:
        yield Clouds(front, cloudwatch, time)


def size(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", png[16:24])  # type: ignore[return-value]


def raw(front: Front, body: str) -> tuple[int, bytes, str]:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    request = AWSRequest("POST", front.server.endpoint + "/", headers=headers, data=body)
    SigV4Auth(BotoCredentials(KEY.access_key_id, KEY.secret_access_key), "monitoring", "us-east-1").add_auth(request)
    connection = http.client.HTTPConnection("127.0.0.1", front.server.port, timeout=30)
    connection.request("POST", "/", body, dict(request.headers.items()))
    response = connection.getresponse()
    answer = response.status, response.read(), response.headers["Content-Type"]
    connection.close()
    return answer


def form(**params: str) -> str:
    document = json.dumps({"metrics": [FLOWS], "stat": "Sum", "period": 60, "start": "-PT30M"})
    return urlencode(
        {"Action": "GetMetricWidgetImage", "Version": "2010-08-01", "MetricWidget": document, **params}
    )


def test_a_picture_has_the_size_that_was_asked_for(clouds: Clouds) -> None:
    assert size(clouds.image()) == (600, 400)
    assert size(clouds.image(width=57, height=31, title="t")) == (57, 31)
    assert size(clouds.image(width=1, height=1)) == (1, 1)


def test_the_same_data_give_the_same_picture_and_other_data_another(clouds: Clouds) -> None:
    clouds.flows(3, 1, 2)
    clouds.time.seconds += DELAY_S
    end = datetime.fromtimestamp(LAB_EPOCH, UTC).isoformat()
    first = clouds.image(end=end)
    assert clouds.image(end=end) == first
    clouds.time.seconds -= DELAY_S
    clouds.flows(9)
    clouds.time.seconds += DELAY_S
    assert clouds.image(end=end) != first


def test_points_that_are_not_published_yet_are_not_drawn(clouds: Clouds) -> None:
    times = {"start": "2023-09-16T03:40:00Z", "end": "2023-09-16T04:00:00Z"}
    empty = clouds.image(**times)
    clouds.flows(5, 6)
    clouds.time.seconds += 29
    assert clouds.image(**times) == empty
    clouds.time.seconds += 1
    assert clouds.image(**times) != empty


def test_it_draws_what_get_metric_data_answers(clouds: Clouds, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Any] = []
    monkeypatch.setattr(cloudwatch_picture, "draw", lambda widget, series: drawn.append(series) or b"png")
    clouds.flows(*range(20))
    clouds.time.seconds += 600
    assert clouds.image(period=300, start="2023-09-16T03:40:00Z") == b"png"
    dimensions = [{"Name": "LoadBalancer", "Value": LB}]
    metric = {"Namespace": FLOWS[0], "MetricName": FLOWS[1], "Dimensions": dimensions}
    answer = clouds.front.client("cloudwatch").get_metric_data(
        MetricDataQueries=[{"Id": "m", "MetricStat": {"Metric": metric, "Period": 300, "Stat": "Sum"}}],
        StartTime=datetime(2023, 9, 16, 3, 40, tzinfo=UTC), EndTime=datetime(2023, 9, 16, 4, 10, tzinfo=UTC),
        ScanBy="TimestampAscending",
    )["MetricDataResults"][0]  # fmt: skip
    (series,) = drawn[0]
    assert answer["Values"] == [value for _, value in series.points] == [10, 35, 60, 85]
    assert [at.timestamp() for at in answer["Timestamps"]] == [at for at, _ in series.points]
    assert series.unit == "Count"


def test_another_region_and_an_unknown_metric_have_no_line_and_no_error(clouds: Clouds) -> None:
    clouds.flows(5, 6)
    clouds.time.seconds += DELAY_S
    there = clouds.image(region="us-east-1")
    elsewhere = clouds.image(region="eu-west-1")
    assert size(elsewhere) == (600, 400) and elsewhere != there
    assert clouds.image(metrics=[["AWS/NetworkELB", "NewFlowCount"]]) == elsewhere


def pixels(png: bytes) -> list[tuple[int, int, int]]:
    """Give the picture's pixels; matplotlib reads what it wrote."""
    from matplotlib.image import imread

    return [tuple(round(255 * part) for part in point[:3]) for row in imread(BytesIO(png)) for point in row]


BLUE, ORANGE = (31, 119, 180), (255, 127, 14)


def test_metric_math_is_drawn_like_a_metric(clouds: Clouds) -> None:
    clouds.flows(3, 1, 2)
    clouds.time.seconds += DELAY_S
    hidden = [*FLOWS, {"id": "m1", "visible": False}]
    doubled = pixels(clouds.image(metrics=[hidden, [{"expression": "m1 * 2", "id": "e1", "label": "max ${MAX}"}]]))
    assert BLUE in doubled and ORANGE not in doubled
    both = pixels(clouds.image(metrics=[hidden, [{"expression": "[m1, m1 * 2]", "id": "e1"}]]))
    assert BLUE in both and ORANGE in both
    with pytest.raises(ClientError, match=r"/metrics/0/0/expression.*Undefined id 'm1'"):
        clouds.image(metrics=[[{"expression": "m1 * 2", "id": "e1"}]])


def test_the_dark_theme_has_a_dark_ground(clouds: Clouds) -> None:
    assert pixels(clouds.image())[0] == (255, 255, 255)
    assert sum(pixels(clouds.image(theme="dark"))[0]) < 150


@pytest.mark.parametrize("view", ["singleValue", "bar", "pie"])
def test_views_without_a_time_axis_show_the_newest_values(clouds: Clouds, view: str) -> None:
    clouds.flows(3, 1, 2)
    clouds.time.seconds += DELAY_S
    metrics = [[*FLOWS, {"id": "m1"}], [{"expression": "m1 * 2", "id": "e1"}], ["AWS/NetworkELB", "Never"]]
    image = clouds.image(view=view, metrics=metrics, legend={"position": "hidden"})
    assert size(image) == (600, 400)
    assert clouds.image(view=view, metrics=[FLOWS], legend={"position": "hidden"}) != image
    assert {BLUE, ORANGE} <= set(pixels(image)) or view == "singleValue"
    assert size(clouds.image(view=view, metrics=[["AWS/NetworkELB", "Never"]], width=40, height=30)) == (40, 30)


def test_whatever_stands_in_a_title_is_drawn_as_it_is(clouds: Clouds) -> None:
    for title in ("$\\frac{a}{b}$", "\x00\x07", "\ud800", "_hidden", "x" * 5000, "two\nlines"):
        marks = {"horizontal": [{"value": 1, "label": title}], "vertical": [{"value": "-PT9M", "label": title}]}
        assert size(clouds.image(title=title, metrics=[[*FLOWS, {"label": title}]], annotations=marks)) == (600, 400)


def test_the_query_protocol_carries_it_in_base64(clouds: Clouds) -> None:
    status, body, kind = raw(clouds.front, form())
    assert status == 200 and kind.startswith("text/xml")
    found = re.search(rb"<MetricWidgetImage>([^<]+)</MetricWidgetImage>", body)
    assert found is not None
    assert base64.b64decode(found[1]) == clouds.image()


def test_image_png_gives_the_picture_itself(clouds: Clouds) -> None:
    status, body, kind = raw(clouds.front, form(OutputFormat="image/png"))
    assert (status, kind) == (200, "image/png")
    assert body == clouds.image()


def test_a_wrong_document_is_refused_with_every_place(clouds: Clouds) -> None:
    with pytest.raises(ClientError) as refused:
        clouds.image(width=0, period=7)
    error = refused.value.response["Error"]
    assert error["Code"] == "ValidationError"
    message = error["Message"]
    assert message.startswith("The metric widget is invalid, there are 2 validation errors: [")
    assert {one["dataPath"] for one in json.loads(message[message.index("[") :])} == {"/width", "/period"}


def test_too_many_points_are_refused(clouds: Clouds) -> None:
    with pytest.raises(ClientError, match="exceeds the limit of 100800"):
        clouds.image(start="-P100D")


def test_another_format_is_refused(clouds: Clouds) -> None:
    with pytest.raises(ClientError, match=r"enum value set: \[png, image/png\]"):
        clouds.front.client("cloudwatch").get_metric_widget_image(MetricWidget="{}", OutputFormat="jpeg")


def test_what_takes_long_is_finished_outside_the_lock(clouds: Clouds, slow: Slow) -> None:
    answers: list[Any] = []
    client = clouds.front.client("elbv2")
    caller = Thread(target=lambda: answers.append(client.describe_tags(ResourceArns=["a"])), daemon=True)
    caller.start()
    assert slow.begun.wait(30)
    assert client.describe_load_balancers()["LoadBalancers"] == []
    assert answers == []
    slow.go_on.set()
    caller.join(30)
    assert answers[0]["TagDescriptions"] == []
