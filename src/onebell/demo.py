"""The demo space: what ``onebell serve --demo`` applies, and the lines it prints to try it."""

from importlib.resources import files

_PUBLIC = 'public_url = "http://127.0.0.1:{port}"'


def directory(port: int = 0) -> str:
    """The text of the demo directory file, with links that lead to this port; 0 = to the one that it names."""
    text = files("onebell").joinpath("demo.toml").read_text()
    return text.replace(_PUBLIC.format(port=8080), _PUBLIC.format(port=port)) if port else text


def curl_lines(url: str) -> list[str]:
    """One command per dialect, ready to paste; each sends alice a message."""
    keys = '"client_id":"YXA6-demo-client-id","client_secret":"YXA6-demo-client-secret"'
    app = f'{{"grant_type":"client_credentials",{keys}}}'
    return [
        f"curl '{url}/send?token=0123456789abcdef0123456789abcdef&title=PushPlus&content=消息内容'",
        f"curl '{url}/cgi-bin/webhook/send?key=633a31f6-7f9c-4bc4-97a0-0ec1eefaaaaa'"
        """ -d '{"msgtype":"text","text":{"content":"WeCom: hello world"}}'""",
        f"curl {url}/message -H 'Content-Type: application/json'"
        """ -d '{"channel_id":"06J0FZG1Y8XGG14VTQ4Y3G10MR","password":"channel-password","title":"备份完成"}'""",
        f"curl {url}/v1/sent -u 7d431e42dfa6a6d693ac2d04:5e987ac6d2e04d95a9d8f0d1"
        """ -d '{"aud_userid":["alice"],"msg_app":[{"platform":"all","notification":{"alert":"UMS: hello"}}]}'""",
        f"""curl {url}/acme/demo/messages/users -H "Authorization: Bearer $(curl -s {url}/acme/demo/token"""
        f""" -d '{app}' | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')\""""
        """ -d '{"from":"bob","to":["alice"],"type":"txt","body":{"msg":"Easemob: hi"}}'""",
    ]
