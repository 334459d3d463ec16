"""Write the table of docs/fields.md, from the table of fields, to standard output."""

from xdplab import FIELDS

print("| field | bits | value | writable |\n| --- | --- | --- | --- |")
for field in FIELDS.values():
    print(f"| `{field.name}` | {field.bits} | {field.about} | {'yes' if field.writable else ''} |")
