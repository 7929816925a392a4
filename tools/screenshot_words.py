"""What people and machines say in the pictures, in both languages."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Words:
    """The messages of one picture."""

    suffix: str
    locale: str
    names: dict[str, str]
    backup_title: str
    backup: str
    order: str
    invoice_title: str
    invoice: str
    standup: str
    weather_title: str
    weather: str
    disk_title: str
    disk: str
    deploy: str
    look: str
    parcel: str
    report_title: str
    report: str
    lunch: str
    answer: str
    place: str
    latitude: float
    longitude: float
    table: str
    coming: str


ENGLISH = Words(
    suffix="",
    locale="en-GB",
    names={"Alice": "Alice Moreau", "Bob": "Bob Keller", "Ops": "Ops weekly", "NAS": "Home NAS"},
    backup_title="Backup finished",
    backup="**412 GB** in 3 h 07 min, no errors.",
    order="Your order 20260317-0042 has been shipped.",
    invoice_title="Invoice 2026-118 was paid",
    invoice="<p>Payment of <b>€ 1,284.00</b> arrived on 17 March.</p>",
    standup="Stand-up in 5 minutes, room 3.",
    weather_title="Weather for Lyon",
    weather="Cloudy, **9 – 14 °C**, rain after 18:00.",
    disk_title="Disk 3 is failing",
    disk="SMART: **48** reallocated sectors. Replace it soon.",
    deploy='# web 1.18.2\n><font color="info">live on 6 of 6 nodes</font> after 4 min, no errors',
    look="@Alice could you look at the billing alerts when you have a minute?",
    parcel="Parcel: delivered to your neighbour at 10:28.",
    report_title="Week 12: all services green",
    report=(
        "Good morning everyone,\n\nhere is last week in numbers.\n\n"
        "| service | uptime | p99 | errors |\n|---|---|---|---|\n"
        "| checkout | 99.99 % | 182 ms | 14 |\n| search | 100 % | 96 ms | 0 |\n| mail | 99.97 % | 1.2 s | 31 |\n\n"
        "**What changed**\n\n- checkout runs on the new database since Tuesday\n"
        "- the mail queue drains in 40 s instead of 3 min\n- two alerts were tuned: no page at night\n\n"
        "> Next: the restore drill on Thursday at 14:00.\n\n"
        "Details are on the [dashboard](https://status.example.com/weekly)."
    ),
    lunch="Lunch at 12:30? The new place on the corner.",
    answer="Gladly. Where is it?",
    place="Chez Nous, 14 Rue Mercière, Lyon",
    latitude=45.7625,
    longitude=4.8322,
    table="Table for two, on the terrace.",
    coming="Perfect, I will bring the drill plan.",
)

CHINESE = Words(
    suffix="-zh",
    locale="zh-CN",
    names={
        "Alice": "陈雨桐",
        "Bob": "李浩然",
        "Ops": "运维周报",
        "NAS": "家庭 NAS",
        "Ops room": "运维值班群",
        "deploy bot": "发布机器人",
    },
    backup_title="备份完成",
    backup="**412 GB**，用时 3 小时 07 分，无错误。",
    order="您的订单 20260317-0042 已发货。",
    invoice_title="发票 2026-118 已付款",
    invoice="<p>3 月 17 日收到付款 <b>¥ 1,284.00</b>。</p>",
    standup="5 分钟后站会，三号会议室。",
    weather_title="杭州天气",
    weather="多云，**9 – 14 °C**，18 点后有雨。",
    disk_title="3 号硬盘即将损坏",
    disk="SMART：重映射扇区 **48** 个，请尽快更换。",
    deploy='# web 1.18.2\n><font color="info">6/6 个节点已上线</font>，用时 4 分钟，无报错',
    look="@陈雨桐 有空时请看一下计费告警。",
    parcel="快递：10:28 已由邻居代收。",
    report_title="第 12 周：全部服务正常",
    report=(
        "各位早上好，\n\n上周的数据如下。\n\n"
        "| 服务 | 可用率 | p99 | 错误 |\n|---|---|---|---|\n"
        "| 下单 | 99.99 % | 182 ms | 14 |\n| 搜索 | 100 % | 96 ms | 0 |\n| 邮件 | 99.97 % | 1.2 s | 31 |\n\n"
        "**变化**\n\n- 下单服务周二起使用新数据库\n- 邮件队列从 3 分钟缩短到 40 秒清空\n"
        "- 调整两条告警，夜间不再打扰\n\n"
        "> 下一步：周四 14:00 恢复演练。\n\n"
        "详情见[看板](https://status.example.com/weekly)。"
    ),
    lunch="12:30 一起吃午饭？街角新开的那家。",
    answer="好啊，在哪儿？",
    place="知味观，杭州市上城区仁和路 83 号",
    latitude=30.2553,
    longitude=120.169,
    table="订好了两位，露台上。",
    coming="太好了，我把演练计划带上。",
)

LANGUAGES = (ENGLISH, CHINESE)
