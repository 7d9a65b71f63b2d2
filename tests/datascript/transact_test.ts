import assert from "node:assert/strict";
import fc from "fast-check";
import { Datom, TX0 } from "../../datascript/datom.ts";
import { Db } from "../../datascript/db.ts";
import { TransactError, type TransactErrorCode } from "../../datascript/errors.ts";
import { parseForms } from "../../datascript/forms.ts";
import type { TxReport } from "../../datascript/report.ts";
import { transact } from "../../datascript/transact.ts";
import { List, MapValue, SetValue, Tagged, Uuid, type Value } from "../../datascript/value.ts";
import { emptyDb, LazyNodes, stored, storedDb } from "../support/memory_db.ts";
import { applied, assertHolds } from "../support/model.ts";
import {
  fact,
  forms,
  IDENTITY,
  MANY,
  REF,
  schemaOf,
  show,
  transacted,
  value,
  type Written,
} from "../support/written.ts";

const SCHEMA = schemaOf({
  "name": {},
  "nick": MANY,
  "email": IDENTITY,
  "phone": IDENTITY,
  "badge": { ":db/unique": ":db.unique/value" },
  "friend": REF,
  "likes": { ...REF, ...MANY },
  "part": { ...REF, ":db/isComponent": true },
  "parts": { ...REF, ...MANY, ":db/isComponent": true },
  "twin": { ...REF, ...IDENTITY },
  "a/friend": REF,
});

/** Ada and Bob, an ident, and a house with rooms. */
const BASE: readonly Datom[] = [
  fact(1, "name", "Ada"),
  fact(1, "email", "ada@x"),
  fact(1, "nick", "A"),
  fact(1, "nick", "Countess"),
  fact(2, "name", "Bob"),
  fact(2, "email", "bob@x"),
  fact(2, "friend", 1),
  fact(2, "likes", 1),
  fact(2, "badge", 7),
  fact(3, "db/ident", ":the/third"),
  fact(4, "name", "house"),
  fact(4, "part", 5),
  fact(5, "name", "kitchen"),
  fact(5, "parts", 6),
  fact(5, "parts", 7),
  fact(6, "name", "table"),
  fact(7, "name", "chair"),
  fact(2, "likes", 7),
];

const base = (): Db => storedDb(SCHEMA, BASE);

const told = (report: TxReport): readonly string[] => report.datoms.map(show);

type Table = Readonly<Record<string, readonly (readonly [Written[], readonly string[]])[]>>;

/** A tempid that turns out to be Bob after something was said of it. */
const LATE_BOB: readonly Written[] = [[":db/add", -2, ":x", 2], [":db/add", -2, ":email", "bob@x"]];

/** The same, and one that turns out to be Ada. */
const LATE_BOTH: readonly Written[] = [
  ...LATE_BOB,
  [":db/add", -1, ":x", 1],
  [":db/add", -1, ":email", "ada@x"],
];

/** Rules → forms → datoms. New entities begin at 8. */
const DATOMS: Table = {
  ":db/add asserts": [
    [[[":db/add", 1, ":x", 5]], ["+1 :x 5"]],
    [[[":db/add", 20, ":x", 5]], ["+20 :x 5"]],
    [[[":db/add", 1, ":x", [[[5]]]]], ["+1 :x [[[5]]]"]],
    [[[":db/add", 1, ":x", { ":y": [1] }]], ['+1 :x ["^ ","~:y",[1]]']],
    [[new List([":db/add", 1, ":x", 5].map(value))], ["+1 :x 5"]],
  ],
  "Adding a fact that is there changes nothing": [
    [[[":db/add", 1, ":name", "Ada"]], []],
    [[[":db/add", 1, ":nick", "A"]], []],
    [[[":db/add", 2, ":friend", [":email", "ada@x"]]], []],
    [[[":db/add", 1, ":email", "ada@x"]], []],
  ],
  "Another value of an attribute of cardinality one replaces the old one": [
    [[[":db/add", 1, ":name", "Eve"]], ['-1 :name "Ada"', '+1 :name "Eve"']],
    [[[":db/add", 2, ":friend", 3]], ["-2 :friend 1", "+2 :friend 3"]],
    [
      [[":db/add", 1, ":name", "Eve"], [":db/add", 1, ":name", "Ada"]],
      ['-1 :name "Ada"', '+1 :name "Eve"', '-1 :name "Eve"', '+1 :name "Ada"'],
    ],
  ],
  "Another value of an attribute of cardinality many joins the old ones": [
    [[[":db/add", 1, ":nick", "B"]], ['+1 :nick "B"']],
  ],
  "A batch without a form does nothing": [[[], []]],
  "Tempids that are named before anything is said of them are entities apart": [
    [
      [
        [":db/add", 1, ":friend", -1],
        [":db/add", 3, ":friend", -2],
        [":db/add", -1, ":x", 1],
        [":db/add", -2, ":x", 2],
      ],
      ["+1 :friend 8", "+3 :friend 9", "+8 :x 1", "+9 :x 2"],
    ],
  ],
  "Who is called by the eid of a tempid that turns out to be somebody is another": [
    [
      [[":db/add", -1, ":email", "new@x"], [":db/add", 8, ":email", "ada@x"]],
      ['-1 :email "ada@x"', '+1 :email "new@x"', '+8 :email "ada@x"'],
    ],
  ],
  "A collection is several values, but for a lookup ref": [
    [[{ ":db/id": 3, ":nick": [":k", "b"] }], ["+3 :nick :k", '+3 :nick "b"']],
    [[{ ":db/id": 3, ":nick": [":email", "b", "c"] }], [
      "+3 :nick :email",
      '+3 :nick "b"',
      '+3 :nick "c"',
    ]],
    [[{ ":db/id": 3, ":likes": [":email", "ada@x"] }], ["+3 :likes 1"]],
  ],
  "The fifth element of a form is of no account": [
    [[[":db/add", 1, ":x", 5, TX0 + 7]], ["+1 :x 5"]],
    [[[":db/retract", 1, ":name", "Ada", TX0 + 7]], ['-1 :name "Ada"']],
  ],
  ":db/retract takes away a fact, or nothing": [
    [[[":db/retract", 1, ":name", "Ada"]], ['-1 :name "Ada"']],
    [[[":db/retract", 1, ":nick", "A"]], ['-1 :nick "A"']],
    [[[":db/retract", 1, ":name", "Eve"]], []],
    [[[":db/retract", 20, ":name", "Ada"]], []],
    [[[":db/retract", 2, ":friend", [":email", "ada@x"]]], ["-2 :friend 1"]],
    [[[":db/retract", [":email", "bob@x"], ":likes", 7]], ["-2 :likes 7"]],
    // A component stays where only the fact goes that says it is one.
    [[[":db/retract", 4, ":part", 5]], ["-4 :part 5"]],
  ],
  ":db/retract without a value, and retractAttribute, take away all values": [
    [[[":db/retract", 1, ":nick"]], ['-1 :nick "A"', '-1 :nick "Countess"']],
    [[[":db/retract", 1, ":nick", null]], ['-1 :nick "A"', '-1 :nick "Countess"']],
    [[[":db.fn/retractAttribute", 1, ":nick"]], ['-1 :nick "A"', '-1 :nick "Countess"']],
    [[[":db.fn/retractAttribute", 3, ":nick"]], []],
  ],
  "retractAttribute of a component takes the component too": [
    [
      [[":db.fn/retractAttribute", 5, ":parts"]],
      ["-5 :parts 6", "-5 :parts 7", '-6 :name "table"', '-7 :name "chair"', "-2 :likes 7"],
    ],
  ],
  "retractEntity takes the facts of an entity and those that refer to it": [
    [[[":db/retractEntity", 3]], ["-3 :db/ident :the/third"]],
    [[[":db.fn/retractEntity", [":email", "ada@x"]]], [
      '-1 :email "ada@x"',
      '-1 :name "Ada"',
      '-1 :nick "A"',
      '-1 :nick "Countess"',
      "-2 :likes 1",
      "-2 :friend 1",
    ]],
    [[[":db/retractEntity", 20]], []],
  ],
  "retractEntity takes its components, and theirs": [
    [[[":db/retractEntity", 4]], [
      '-4 :name "house"',
      "-4 :part 5",
      '-5 :name "kitchen"',
      "-5 :parts 6",
      "-5 :parts 7",
      '-6 :name "table"',
      '-7 :name "chair"',
      "-2 :likes 7",
    ]],
  ],
  "An entity that refers to itself goes once": [
    [
      [[":db/add", 3, ":likes", 3], [":db/retractEntity", 3]],
      ["+3 :likes 3", "-3 :likes 3", "-3 :db/ident :the/third"],
    ],
  ],
  "A lookup ref to nothing makes a retraction a no-op, as entity and as value": [
    [[[":db/retract", [":email", "nobody"], ":name", "Ada"]], []],
    [[[":db/retract", [":email", "nobody"], ":name"]], []],
    [[[":db.fn/retractAttribute", [":email", "nobody"], ":name"]], []],
    [[[":db/retractEntity", [":email", "nobody"]]], []],
    [[[":db.fn/retractEntity", [":email", null]]], []],
    [[[":db/retract", 2, ":friend", [":email", "nobody"]]], []],
    [[[":db/retract", 2, ":friend", ":no/ident"]], []],
    [[[":db/retractEntity", ":no/ident"]], []],
    [
      [
        [":db.fn/retractEntity", [":email", "ada@x"]],
        [":db/retract", [":email", "bob@x"], ":friend", [":email", "ada@x"]],
      ],
      [
        '-1 :email "ada@x"',
        '-1 :name "Ada"',
        '-1 :nick "A"',
        '-1 :nick "Countess"',
        "-2 :likes 1",
        "-2 :friend 1",
      ],
    ],
  ],
  "cas replaces what is as expected": [
    [[[":db/cas", 1, ":name", "Ada", "Eve"]], ['-1 :name "Ada"', '+1 :name "Eve"']],
    [[[":db.fn/cas", 1, ":name", "Ada", "Eve"]], ['-1 :name "Ada"', '+1 :name "Eve"']],
    [[[":db/cas", 3, ":name", null, "Eve"]], ['+3 :name "Eve"']],
    [[[":db/cas", 1, ":name", "Ada", "Ada"]], []],
    [[[":db/cas", 2, ":friend", [":email", "ada@x"], ":the/third"]], [
      "-2 :friend 1",
      "+2 :friend 3",
    ]],
  ],
  "cas of an attribute of many values asks for one of them": [
    [[[":db/cas", 1, ":nick", "Countess", "C"]], ['+1 :nick "C"']],
  ],
  "An entity is named by eid, lookup ref, ident or the transaction's own name": [
    [[[":db/add", [":email", "ada@x"], ":x", 1]], ["+1 :x 1"]],
    [[[":db/add", new List([value(":email"), "ada@x"]), ":x", 1]], ["+1 :x 1"]],
    [[[":db/add", [":badge", 7], ":x", 1]], ["+2 :x 1"]],
    [[[":db/add", ":the/third", ":x", 1]], ["+3 :x 1"]],
    [[[":db/add", [":db/ident", ":the/third"], ":x", 1]], ["+3 :x 1"]],
    [[[":db/add", "datomic.tx", ":x", 1]], [`+${TX0 + 2} :x 1`]],
    [[[":db/add", ":db/current-tx", ":x", 1]], [`+${TX0 + 2} :x 1`]],
  ],
  "So is the value of a ref": [
    [[[":db/add", 3, ":friend", [":email", "ada@x"]]], ["+3 :friend 1"]],
    [[[":db/add", 1, ":friend", ":the/third"]], ["+1 :friend 3"]],
    [[[":db/add", 1, ":friend", 2]], ["+1 :friend 2"]],
  ],
  "A lookup ref over a ref attribute resolves its value first": [
    [
      [[":db/add", 1, ":twin", 2], [":db/add", [":twin", [":email", "bob@x"]], ":x", 1]],
      ["+1 :twin 2", "+1 :x 1"],
    ],
  ],
  "What looks like a name stays a value where the attribute is no ref": [
    [[[":db/add", 1, ":x", [":email", "ada@x"]]], ['+1 :x ["~:email","ada@x"]']],
    [[[":db/add", 1, ":x", ":the/third"]], ["+1 :x :the/third"]],
    [[[":db/add", 1, ":x", -1]], ["+1 :x -1"]],
  ],
  "A tempid is a new entity, the same one in the whole batch": [
    [
      [[":db/add", -1, ":x", 1], [":db/add", "t", ":x", 2], [":db/add", -1, ":y", 3]],
      ["+8 :x 1", "+9 :x 2", "+8 :y 3"],
    ],
    [
      [[":db/add", 2, ":friend", -1], [":db/add", -1, ":x", 1]],
      ["-2 :friend 1", "+2 :friend 8", "+8 :x 1"],
    ],
    [
      [[":db/add", -1, ":x", 1], [":db/add", 3, ":friend", -1]],
      ["+8 :x 1", "+3 :friend 8"],
    ],
    [[[":db/add", -1, ":friend", -1]], ["+8 :friend 8"]],
  ],
  "A new eid is above every eid ever given": [
    [[[":db/add", 50, ":x", 1], [":db/add", -1, ":x", 2]], ["+50 :x 1", "+51 :x 2"]],
  ],
  "A tempid with an identity that somebody has is that entity": [
    [
      [[":db/add", -1, ":email", "ada@x"], [":db/add", -1, ":x", 1]],
      ["+1 :x 1"],
    ],
  ],
  "Also when the identity comes later in the batch": [
    [
      [[":db/add", -1, ":x", 1], [":db/add", -1, ":email", "ada@x"]],
      ["+1 :x 1"],
    ],
    [
      [[":db/add", -2, ":x", 2], [":db/add", -1, ":x", 1], [":db/add", -1, ":email", "ada@x"]],
      ["+8 :x 2", "+1 :x 1"],
    ],
    [
      [[":db/add", 3, ":friend", "t"], [":db/add", "t", ":email", "ada@x"]],
      ["+3 :friend 1"],
    ],
    [
      [[":db/add", -1, ":x", 1], [":db/add", -2, ":y", 2], { ":db/id": -2, ":email": "bob@x" }, {
        ":db/id": -1,
        ":email": "ada@x",
      }],
      ["+1 :x 1", "+2 :y 2"],
    ],
  ],
  "Beside such tempids all other forms are what they are without them": [
    [
      [...LATE_BOTH, { ":db/id": 3, ":friend": { ":name": "New" } }],
      ["+2 :x 2", "+1 :x 1", '+8 :name "New"', "+3 :friend 8"],
    ],
    [
      [...LATE_BOTH, [":db/retract", 1, ":name", "Ada"], [":db/retractEntity", 7]],
      ["+2 :x 2", "+1 :x 1", '-1 :name "Ada"', '-7 :name "chair"', "-5 :parts 7", "-2 :likes 7"],
    ],
  ],
  "Who has lost his identity before is not whom it names, though a tempid is learnt of late": [
    [
      [
        [":db/add", -2, ":x", 2],
        [":db/add", -2, ":email", "ada@x"],
        [":db/retract", 2, ":email", "bob@x"],
        [":db/add", -1, ":email", "bob@x"],
        [":db/add", -1, ":name", "Eve"],
        [":db/cas", 2, ":name", "Bob", "Rob"],
      ],
      [
        "+1 :x 2",
        '-2 :email "bob@x"',
        '+8 :email "bob@x"',
        '+8 :name "Eve"',
        '-2 :name "Bob"',
        '+2 :name "Rob"',
      ],
    ],
  ],
  "Tempids that turn out late, one by one, to be others of the batch are those": [
    [
      range(8, (i): readonly Written[] => [
        [":db/add", -i - 1, ":x", i],
        [":db/add", -i - 101, ":phone", i],
        [":db/add", -i - 1, ":phone", i],
      ]).flat(),
      range(8, (i) => [`+${9 + 2 * i} :x ${i}`, `+${9 + 2 * i} :phone ${i}`]).flat(),
    ],
  ],
  "Two tempids with one new identity are one entity": [
    [
      [[":db/add", -1, ":email", "new"], [":db/add", -2, ":email", "new"], [
        ":db/add",
        -2,
        ":x",
        1,
      ]],
      ['+8 :email "new"', "+8 :x 1"],
    ],
  ],
  "A map asserts its attributes of one entity": [
    [[{ ":db/id": 1, ":name": "Eve", ":x": 5 }], ['-1 :name "Ada"', '+1 :name "Eve"', "+1 :x 5"]],
    [[{ ":name": "New", ":x": 5 }], ['+8 :name "New"', "+8 :x 5"]],
    [[{ ":db/id": null, ":x": 5 }], ["+8 :x 5"]],
    [[{ ":db/id": -1, ":x": 5 }, [":db/add", 3, ":friend", -1]], ["+8 :x 5", "+3 :friend 8"]],
    [[{ ":db/id": [":email", "ada@x"], ":x": 5 }], ["+1 :x 5"]],
    [[{ ":db/id": 1 }], []],
  ],
  "A map with an identity that somebody has is about that entity": [
    [[{ ":email": "ada@x", ":x": 5 }], ["+1 :x 5"]],
    [[{ ":db/id": -1, ":email": "ada@x" }, [":db/add", 3, ":friend", -1]], ["+3 :friend 1"]],
    [[{ ":db/id": 1, ":email": "ada@x", ":x": 5 }], ["+1 :x 5"]],
    [
      [{ ":db/id": 1, ":email": "ada@x", ":x": 5 }, { ":db/id": 2, ":email": "bob@x", ":x": 6 }],
      ["+1 :x 5", "+2 :x 6"],
    ],
  ],
  "A collection in a map is several values where there may be many": [
    [[{ ":db/id": 3, ":nick": ["A", "B"] }], ['+3 :nick "A"', '+3 :nick "B"']],
    [[{ ":db/id": 3, ":nick": new SetValue(["A", "B"]) }], ['+3 :nick "A"', '+3 :nick "B"']],
    [[{ ":db/id": 3, ":nick": new List(["A"]) }], ['+3 :nick "A"']],
    [[{ ":db/id": 3, ":nick": "A" }], ['+3 :nick "A"']],
    [[{ ":db/id": 3, ":nick": [] }], []],
    [[{ ":db/id": 3, ":likes": [1, [":email", "bob@x"], ":the/third"] }], [
      "+3 :likes 1",
      "+3 :likes 2",
      "+3 :likes 3",
    ]],
    [[{ ":db/id": 3, ":name": ["A", "B"] }], ['+3 :name ["A","B"]']],
  ],
  "A lookup ref in a map is one value": [
    [[{ ":db/id": 3, ":likes": [":email", "ada@x"] }], ["+3 :likes 1"]],
  ],
  "A map in a ref of a map is an entity of its own": [
    [
      [{ ":db/id": 3, ":friend": { ":name": "New", ":friend": { ":name": "Newer" } } }],
      ['+8 :name "New"', '+9 :name "Newer"', "+8 :friend 9", "+3 :friend 8"],
    ],
    [
      [{ ":db/id": 3, ":likes": [{ ":name": "New" }, { ":db/id": 1 }] }],
      ['+8 :name "New"', "+3 :likes 8", "+3 :likes 1"],
    ],
    [[{ ":db/id": 3, ":friend": { ":email": "ada@x", ":x": 1 } }], ["+1 :x 1", "+3 :friend 1"]],
    [
      [{ ":db/id": 3, ":_friend": { ":name": "New", ":friend": 1 } }],
      ['+8 :name "New"', "+8 :friend 3"],
    ],
    [[{ ":db/id": 3, ":name": { ":x": 1 } }], ['+3 :name ["^ ","~:x",1]']],
  ],
  "A nested map may turn out late to be an entity that is there": [
    [
      [[":db/add", 1, ":twin", 2], {
        ":db/id": 3,
        ":friend": { ":x": 1, ":twin": { ":email": "bob@x" } },
      }],
      ["+1 :twin 2", "+1 :x 1", "+3 :friend 1"],
    ],
  ],
  "A nested map is tied to the entity that it named at its turn, whatever it makes of its name": [
    [
      [{ ":db/id": 3, ":friend": { ":db/id": [":email", "ada@x"], ":email": "new@x" } }],
      ['-1 :email "ada@x"', '+1 :email "new@x"', "+3 :friend 1"],
    ],
  ],
  "The tie to the map around takes the place of what a nested map says under that name": [
    [
      [{ ":db/id": 3, ":friend": { ":db/id": 1, ":x": 1, ":_friend": [":email", "nobody"] } }],
      ["+1 :x 1", "+3 :friend 1"],
    ],
  ],
  "A reverse attribute of a map is the other entity's": [
    [[{ ":db/id": 3, ":_friend": 1 }], ["+1 :friend 3"]],
    [[{ ":db/id": 3, ":a/_friend": 1 }], ["+1 :a/friend 3"]],
    [[{ ":db/id": 3, ":_likes": [1, [":email", "bob@x"]] }], ["+1 :likes 3", "+2 :likes 3"]],
    [[{ ":db/id": 3, ":_friend": { ":name": "New" } }], ['+8 :name "New"', "+8 :friend 3"]],
    [[{ ":name": "New", ":_friend": [":email", "ada@x"] }], ['+8 :name "New"', "+1 :friend 8"]],
  ],
  "An attribute that the batch makes is one from the next form on": [
    [
      [
        { ":db/id": -1, ":db/ident": ":tag", ":db/cardinality": ":db.cardinality/many" },
        [":db/add", 1, ":tag", "a"],
        [":db/add", 1, ":tag", "b"],
      ],
      [
        "+8 :db/ident :tag",
        "+8 :db/cardinality :db.cardinality/many",
        '+1 :tag "a"',
        '+1 :tag "b"',
      ],
    ],
    [
      [
        [":db/add", 1, ":to", 3],
        [":db/add", -1, ":db/ident", ":to"],
        [":db/add", -1, ":db/valueType", ":db.type/ref"],
        [":db/add", 2, ":to", ":the/third"],
      ],
      ["+1 :to 3", "+8 :db/ident :to", "+8 :db/valueType :db.type/ref", "+2 :to 3"],
    ],
    [
      [
        [":db/add", -1, ":db/ident", ":code"],
        [":db/add", -1, ":db/unique", ":db.unique/identity"],
        [":db/add", 1, ":code", "c"],
        [":db/add", [":code", "c"], ":x", 1],
      ],
      ["+8 :db/ident :code", "+8 :db/unique :db.unique/identity", '+1 :code "c"', "+1 :x 1"],
    ],
  ],
  "An identity that was taken away is free in the same batch": [
    [
      [[":db/retract", 1, ":email", "ada@x"], [":db/add", -1, ":email", "ada@x"]],
      ['-1 :email "ada@x"', '+8 :email "ada@x"'],
    ],
    // Also where the batch is done again, as another tempid turns out to be somebody.
    [
      [
        [":db/retract", 1, ":email", "ada@x"],
        [":db/add", -1, ":x", 1],
        [":db/add", -1, ":email", "ada@x"],
        ...LATE_BOB,
      ],
      ['-1 :email "ada@x"', "+8 :x 1", '+8 :email "ada@x"', "+2 :x 2"],
    ],
    [
      [
        [":db/retract", 1, ":email", "ada@x"],
        [":db/add", -1, ":phone", 5],
        [":db/add", -1, ":phone", 5],
        [":db/add", -1, ":email", "ada@x"],
        ...LATE_BOB,
      ],
      ['-1 :email "ada@x"', "+8 :phone 5", '+8 :email "ada@x"', "+2 :x 2"],
    ],
    [
      [
        { ":db/id": 1, ":email": "eve@x" },
        { ":db/id": -1, ":email": "ada@x", ":x": 1 },
        ...LATE_BOB,
      ],
      ['-1 :email "ada@x"', '+1 :email "eve@x"', '+8 :email "ada@x"', "+8 :x 1", "+2 :x 2"],
    ],
  ],
};

for (const [rule, rows] of Object.entries(DATOMS)) {
  Deno.test(rule, () => {
    for (const [written, expected] of rows) {
      const before = base();
      const report = transact(before, forms(...written));
      assert.deepEqual(told(report), expected);
      assert.ok(report.datoms.every(({ tx }) => tx === TX0 + 2));
      assert.equal(report.after.maxTx, TX0 + 2);
      assertHolds(before, BASE);
      assert.equal(report.before, before);
    }
  });
}

function nested(depth: number): Written {
  return depth === 0 ? 1 : [nested(depth - 1)];
}

function range<Item>(count: number, of: (i: number) => Item): readonly Item[] {
  return Array.from({ length: count }, (_, i) => of(i));
}

/** Code → forms that have it, each in words. */
const CODES: Readonly<Record<TransactErrorCode, Readonly<Record<string, Written[]>>>> = {
  "form-syntax": {
    "an operation that is unknown": [[":db/what", 1, ":name", "x"]],
    "an operation that is no keyword": [["db/add", 1, ":name", "x"]],
    "a form that is a text": ["x"],
    "a form that is a number": [5],
    "a form that is nil": [null],
    "a form without an entity": [[":db/add"]],
    "an empty form": [[]],
    "a function of DataScript's": [[":db.fn/call", 1]],
  },
  "entity-id-syntax": {
    "an entity 0": [[":db/add", 0, ":name", "x"]],
    "an entity beyond the greatest": [[":db/add", 0x80000000, ":name", "x"]],
    "an entity that is no integer": [[":db/add", 1.5, ":name", "x"]],
    "an entity that is nil": [[":db/add", null, ":name", "x"]],
    "an entity that is true": [[":db/retractEntity", true]],
    "a ref to a map": [[":db/add", 1, ":friend", { ":name": "x" }]],
    "a ref to an instant": [[":db/add", 1, ":friend", new Date(0)]],
  },
  "ids-used-up": {
    "an entity by the last eid there is": [[":db/add", 0x1fffffff, ":name", "x"]],
    "an entity behind which too few eids are left": [[":db/add", 0x10000001, ":name", "x"]],
  },
  "lookup-ref-syntax": {
    "a lookup ref of one": [[":db/add", [":email"], ":name", "x"]],
    "a lookup ref of three": [[":db/add", [":email", "ada@x", 1], ":name", "x"]],
    "a lookup ref by a text": [[":db/add", ["email", "ada@x"], ":name", "x"]],
    "a lookup ref of nothing": [[":db/retractEntity", []]],
  },
  "lookup-ref-not-unique": {
    "a lookup ref by what many may have": [[":db/add", [":name", "Ada"], ":x", 1]],
    "the same in a retraction": [[":db/retractEntity", [":name", "Ada"]]],
  },
  "lookup-ref-missing": {
    "an entity that is not there": [[":db/add", [":email", "nobody"], ":name", "x"]],
    "a value that is not there": [[":db/add", 1, ":friend", [":email", "nobody"]]],
    "an ident that is not there": [[":db/add", ":no/ident", ":name", "x"]],
    "a ref to an ident that is not there": [[":db/add", 1, ":friend", ":no/ident"]],
    "a map about nobody": [{ ":db/id": [":email", "nobody"], ":name": "x" }],
    "an entity that the batch took away": [
      [":db/retractEntity", 1],
      [":db/add", [":email", "ada@x"], ":name", "x"],
    ],
    "cas of nobody": [[":db/cas", [":email", "nobody"], ":name", null, "x"]],
  },
  "attribute-syntax": {
    "an attribute that is a text": [[":db/add", 1, "name", "x"]],
    "no attribute": [[":db/retract", 1]],
    "an attribute of a map that is a text": [{ ":db/id": 1, "name": "x" }],
  },
  "value-missing": {
    "no value": [[":db/add", 1, ":name"]],
    "a value of nil": [[":db/add", 1, ":name", null]],
    "nil in a map": [{ ":db/id": 1, ":name": null }],
    "nil in a collection of a map": [{ ":db/id": 1, ":nick": ["a", null] }],
    "cas to nil": [[":db/cas", 1, ":name", "Ada", null]],
    "cas to nothing": [[":db/cas", 1, ":name", "Ada"]],
  },
  "value-syntax": {
    "a value that is NaN": [[":db/add", 1, ":x", NaN]],
    "NaN inside of a value": [[":db/add", 1, ":x", [{ ":a": new SetValue([NaN]) }]]],
    "NaN as a key": [[":db/add", 1, ":x", new MapValue([[NaN, 1]])]],
    "NaN below a tag": [[":db/add", 1, ":x", new Tagged("point", [NaN])]],
    "NaN for an entity": [[":db/add", NaN, ":x", 1]],
    "a value that nests too deeply": [[":db/add", 1, ":x", nested(200)]],
    "a map that nests too deeply": [{ ":db/id": 1, ":x": nested(200) }],
    "an attribute with a long name": [[":db/add", 1, `:${"x".repeat(1025)}`, 1]],
    "a long keyword inside of a value": [[":db/add", 1, ":x", [`:${"x".repeat(1025)}`]]],
    "a long uuid": [[":db/add", 1, ":x", new Uuid("x".repeat(1025))]],
    "a text of 16 Mi": [[":db/add", 1, ":x", "x".repeat(16 * 1024 * 1024)]],
    "a value of two million": [[":db/add", 1, ":x", Array(2 * 1024 * 1024).fill(1)]],
  },
  "reverse-attribute-not-ref": {
    "a reverse attribute of no ref": [{ ":db/id": 1, ":_name": 2 }],
  },
  "schema-syntax": {
    "a map with an attribute's type alone": [{ ":db/id": 8, ":db/valueType": ":db.type/ref" }],
    "a map with an attribute without a cardinality": [{
      ":db/ident": ":x",
      ":db/valueType": ":db.type/ref",
    }],
    "a map with an attribute's cardinality alone": [{
      ":db/id": 8,
      ":db/cardinality": ":db.cardinality/many",
    }],
    "a map with an attribute without an ident": [{
      ":db/id": 8,
      ":db/cardinality": ":db.cardinality/many",
      ":db/valueType": ":db.type/ref",
    }],
    "a map with an ident of DataScript's own": [{ ":db/ident": ":db.type/mine" }],
  },
  "tempid-in-retraction": {
    "a tempid in :db/retract": [[":db/retract", -1, ":name", "x"]],
    "a tempid in retractEntity": [[":db/retractEntity", "t"]],
    "a tempid in retractAttribute": [[":db.fn/retractAttribute", -1, ":name"]],
    "a tempid in cas": [[":db/cas", -1, ":name", null, "x"]],
  },
  "tempid-as-value-only": {
    "a tempid as a value alone": [[":db/add", 1, ":friend", -1]],
    "a text as a value alone": [[":db/add", 1, ":friend", "t"]],
    "a tempid as a value to be taken away": [[":db/retract", 2, ":friend", -1]],
    "a tempid in a map alone": [{ ":db/id": 1, ":likes": [-5] }],
    "a map with nothing but its id": [[":db/add", 1, ":friend", -1], { ":db/id": -1 }],
  },
  "upsert-conflict": {
    "a map with the identities of two": [{ ":email": "ada@x", ":twin": 3 }, {
      ":email": "ada@x",
      ":phone": "1",
    }, { ":email": "bob@x", ":phone": "1" }],
    "a map about one with the identity of another": [{ ":db/id": 2, ":email": "ada@x" }],
    "a tempid that is two": [[":db/add", -1, ":email", "ada@x"], [
      ":db/add",
      -1,
      ":email",
      "bob@x",
    ]],
  },
  "late-upserts": {
    "tempids that turn out to be somebody one by one, each by the one before": [
      ...range(1000, (i): Written => [":db/add", -i - 1, ":x", 1]),
      [":db/add", -1, ":email", "ada@x"],
      ...range(999, (i): Written => [":db/add", -i - 1, ":phone", i]).flatMap((phone, i) => [
        phone,
        [":db/add", -i - 2, ":phone", i],
      ]),
    ],
  },
  "too-much-to-read": {
    "a look for one of many values, many times": [
      ...range(2000, (i): Written => [":db/add", 9, ":nick", i]),
      ...range(1200, (): Written => [":db/cas", 9, ":nick", 1, 1]),
    ],
    "one of many values that were there before there may be one, many times": [
      [":db/add", -1, ":db/ident", ":scores"],
      [":db/add", -1, ":db/cardinality", ":db.cardinality/many"],
      ...range(2000, (i): Written => [":db/add", 9, ":scores", i]),
      [":db/add", -1, ":db/cardinality", ":db.cardinality/one"],
      ...range(1200, (i): Written => [":db/add", 9, ":scores", 3000 + i]),
    ],
    "a look for whom many are, as they were it before it was unique": [
      [":db/add", -1, ":db/ident", ":score"],
      [":db/add", -1, ":db/index", true],
      ...range(2000, (i): Written => [":db/add", 100 + i, ":score", 7]),
      [":db/add", -1, ":db/unique", ":db.unique/identity"],
      ...range(1200, (i): Written => [":db/add", [":score", 7], ":name", `${i}`]),
    ],
    "the ends of many, to whom many attributes may refer": [
      ...range(4000, (i): readonly Written[] => [
        [":db/add", -1 - i, ":db/ident", `:ref/a${i}`],
        [":db/add", -1 - i, ":db/valueType", ":db.type/ref"],
      ]).flat(),
      ...range(13_000, (i): Written => [":db/retractEntity", 10_000 + i]),
    ],
  },
  "unique-conflict": {
    "an identity of another": [[":db/add", 2, ":email", "ada@x"]],
    "an identity of another for a new entity by its lookup ref": [
      [":db/add", -1, ":email", "eve@x"],
      [":db/add", -2, ":phone", 7],
      [":db/add", [":phone", 7], ":email", "eve@x"],
    ],
    "an identity of another for a new entity by its ident": [
      [":db/add", -1, ":db/ident", ":new/ident"],
      [":db/add", ":new/ident", ":email", "ada@x"],
    ],
    "a unique value of another": [[":db/add", 1, ":badge", 7]],
    "a unique value of another for a tempid": [[":db/add", -1, ":badge", 7]],
    "a unique value twice in a batch": [[":db/add", 1, ":badge", 8], [":db/add", 3, ":badge", 8]],
  },
  "cas-failed": {
    "another value than expected": [[":db/cas", 1, ":name", "Eve", "Bob"]],
    "a value where none is expected": [[":db/cas", 1, ":name", null, "Bob"]],
    "none where a value is expected": [[":db/cas", 3, ":name", "Ada", "Bob"]],
    "many values, none of them the expected": [[":db/cas", 1, ":nick", "B", "C"]],
  },
};

for (const [code, rows] of Object.entries(CODES)) {
  for (const [what, written] of Object.entries(rows)) {
    Deno.test(`A batch with ${what} is refused (${code})`, () => {
      const db = base();
      assert.throws(() => transact(db, forms(...written)), (thrown) => {
        assert.ok(thrown instanceof TransactError, String(thrown));
        assert.equal(thrown.code, code, thrown.message);
        return true;
      });
      assertHolds(db, BASE);
    });
  }
}

Deno.test("Nothing is transacted behind the last transaction that a root can name", () => {
  const last = base().withMaxTx(Number.MAX_SAFE_INTEGER - 1);
  const { after } = transact(last, forms([":db/add", 1, ":name", "x"]));
  assert.equal(after.maxTx, Number.MAX_SAFE_INTEGER);
  assert.throws(
    () => transact(after, forms([":db/add", 1, ":name", "y"])),
    { name: "TransactError", code: "ids-used-up" },
  );
});

for (const written of [5, "x", null, { ":db/id": 1 }, new SetValue([]), ":a"]) {
  Deno.test(`Transaction data can't be ${show(fact(1, "x", written)).slice(6)}`, () => {
    assert.throws(() => parseForms(value(written)), TransactError);
  });
}

Deno.test("An entity is found by a ref of its own too, and by no ref to nobody", () => {
  const db = storedDb(SCHEMA, [...BASE, fact(2, "twin", 1)]);
  const ada = [":email", "ada@x"];
  const nobody = [":email", "nobody@x"];
  const CASES: readonly (readonly [Written[], readonly string[] | undefined])[] = [
    [[[":db/add", [":twin", ada], ":x", 5]], ["+2 :x 5"]],
    [[[":db/add", [":twin", nobody], ":x", 5]], undefined],
    [[{ ":twin": ada, ":x": 5 }], ["+2 :x 5"]],
    [[{ ":twin": 1, ":x": 5 }], ["+2 :x 5"]],
    [[{ ":twin": nobody, ":x": 5 }], undefined],
    [[[":db/retract", [":twin", null], ":x", 5]], []],
    [[{ ":twin": -1, ":x": 5 }, [":db/add", -1, ":x", 6]], ["+9 :twin 8", "+9 :x 5", "+8 :x 6"]],
    [[{ ":twin": { ":x": 6 }, ":x": 5 }], ["+8 :x 6", "+9 :twin 8", "+9 :x 5"]],
  ];
  for (const [batch, expected] of CASES) {
    const report = transacted(db, ...batch);
    assert.deepEqual(report && told(report), expected, JSON.stringify(batch));
  }
});

for (
  const [what, said] of Object.entries<(id: number, a: string, v: number) => Written>({
    "forms": (id, a, v) => [":db/add", id, a, v],
    "maps": (id, a, v) => ({ ":db/id": id, [a]: v }),
  })
) {
  Deno.test(`Thousands of tempids that turn out late to be somebody are no chain: ${what}`, () => {
    const count = 3000;
    const known = range(count, (i) => fact(i + 1, "email", i));
    const written = [
      ...range(count, (i) => [said(-i - 1, ":x", i), said(-i - 1, ":email", i)]).flat(),
      // One whom an eid names, and one who is new.
      said(1, ":email", 0),
      said(-count - 1, ":email", count),
    ];
    const { datoms } = transact(storedDb(SCHEMA, known), forms(...written));
    const expected = range(count, (i) => `+${i + 1} :x ${i}`);
    assert.deepEqual(datoms.map(show), [...expected, `+${count + 1} :email ${count}`]);
  });
}

Deno.test("A uuid names who has it at that form, whoever had it at the one before", () => {
  const schema = schemaOf({ "uuid": IDENTITY });
  const [a, b] = [
    "#u00000000-0000-4000-8000-00000000000a",
    "#u00000000-0000-4000-8000-00000000000b",
  ];
  const db = storedDb(schema, [fact(1, "uuid", a), fact(2, "uuid", b)]);
  const who = (uuid: string, x: number): Written => [":db/add", [":uuid", uuid], ":x", x];
  const report = transact(
    db,
    forms(
      who(a, 1),
      [":db/retract", 1, ":uuid", a],
      [":db/add", 2, ":uuid", a],
      who(a, 2),
      [":db/add", -1, ":uuid", b],
      who(b, 3),
      who(b, 4),
      [":db/retract", [":uuid", b], ":x", 4],
      [":db/retractEntity", [":uuid", a]],
      [":db/add", [":uuid", b], ":uuid", a],
      who(a, 5),
    ),
  );
  assert.deepEqual(told(report), [
    "+1 :x 1",
    `-1 :uuid ${a}`,
    `-2 :uuid ${b}`,
    `+2 :uuid ${a}`,
    "+2 :x 2",
    `+3 :uuid ${b}`,
    "+3 :x 3",
    "-3 :x 3",
    "+3 :x 4",
    "-3 :x 4",
    `-2 :uuid ${a}`,
    "-2 :x 2",
    `-3 :uuid ${b}`,
    `+3 :uuid ${a}`,
    "+3 :x 5",
  ]);
  assert.deepEqual([db.holder("uuid", value(a)), db.holder("uuid", value(b))], [1, 2]);
  const { after } = report;
  assert.deepEqual([after.holder("uuid", value(a)), after.holder("uuid", value(b))], [
    3,
    undefined,
  ]);
});

Deno.test("The report tells what each tempid became", () => {
  const { tempids } = transact(
    base(),
    forms([":db/add", -1, ":x", 1], [":db/add", "t", ":email", "ada@x"]),
  );
  assert.deepEqual([...tempids], [[-1, 8], ["t", 1]]);
});

Deno.test("Eids and transactions go on where the batch before ended", () => {
  const first = transact(emptyDb(SCHEMA), forms([":db/add", -1, ":x", 1])).after;
  const gone = transact(first, forms([":db/retractEntity", 1])).after;
  const report = transact(gone, forms([":db/add", -1, ":x", 2]));
  assert.deepEqual(report.datoms, [fact(2, "x", 2, TX0 + 3)]);
});

Deno.test("What AVET holds follows the schema within a batch", () => {
  const { after } = transact(
    base(),
    forms(
      [":db/add", 1, ":code", "early"],
      [":db/add", -1, ":db/ident", ":code"],
      [":db/add", -1, ":db/index", true],
      [":db/add", 2, ":code", "late"],
    ),
  );
  assert.deepEqual(after.entitiesWith("code", "late"), [2]);
  // DataScript does not index again.
  assert.deepEqual(after.entitiesWith("code", "early"), []);
  assert.equal(after.value(1, "code"), "early");
});

const SMALL = schemaOf({
  "id": IDENTITY,
  "one": { ":db/index": true },
  "many": MANY,
  "refs": { ...REF, ...MANY },
  "part": { ...REF, ":db/isComponent": true },
  "key": { ":db/unique": ":db.unique/value" },
});
const ATTRIBUTES = [":id", ":one", ":many", ":refs", ":part", ":key"];

/** Small batches over few entities and values, so that forms get in each other's way. */
const batches: fc.Arbitrary<Value> = (() => {
  const plain: fc.Arbitrary<Written> = fc.constantFrom<Written>(1, 2, "x", -1, ":k");
  const lookup: fc.Arbitrary<Written> = fc.tuple(fc.constantFrom(":id", ":key"), plain);
  const e: fc.Arbitrary<Written> = fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 1, max: 5 }) },
    { weight: 2, arbitrary: fc.constantFrom<Written>(-1, -2, "t") },
    { weight: 1, arbitrary: lookup },
    { weight: 1, arbitrary: fc.constantFrom<Written>(0, ":none", "datomic.tx") },
  );
  const a = fc.constantFrom(...ATTRIBUTES);
  const v: fc.Arbitrary<Written> = fc.oneof(plain, e, fc.tuple(plain, plain));
  const orNil: fc.Arbitrary<Written> = fc.oneof(fc.constant<Written>(null), v);
  const map: fc.Arbitrary<Written> = fc.tuple(
    fc.option(e),
    fc.dictionary(
      fc.constantFrom(...ATTRIBUTES, ":_refs", ":_part"),
      fc.oneof(
        v,
        fc.array(v, { maxLength: 3 }),
        fc.dictionary(a, plain, { maxKeys: 2, noNullPrototype: true }),
      ),
      { maxKeys: 3, noNullPrototype: true },
    ),
  ).map(([id, rest]) => id === null ? rest : { ":db/id": id, ...rest });
  const form: fc.Arbitrary<Written> = fc.oneof(
    { weight: 6, arbitrary: fc.tuple(fc.constant(":db/add"), e, a, v) },
    { weight: 3, arbitrary: fc.tuple(fc.constant(":db/retract"), e, a, v) },
    { weight: 1, arbitrary: fc.tuple(fc.constant(":db.fn/retractAttribute"), e, a) },
    { weight: 2, arbitrary: fc.tuple(fc.constant(":db/retractEntity"), e) },
    { weight: 1, arbitrary: fc.tuple(fc.constant(":db/cas"), e, a, orNil, v) },
    { weight: 2, arbitrary: map },
  );
  return fc.array(form, { minLength: 1, maxLength: 5 }).map(value);
})();

Deno.test("Whatever a batch asks, it is refused, or the report says exactly what it changed", () => {
  let done = 0;
  fc.assert(
    fc.property(fc.array(batches, { minLength: 1, maxLength: 8 }), (all) => {
      let db = emptyDb(SMALL);
      let facts: readonly Datom[] = [];
      for (const batch of all) {
        const report = orRefusal(() => transact(db, parseForms(batch)));
        assertHolds(db, facts);
        if (report === undefined) continue;
        done++;
        assert.equal(report.before, db);
        assert.equal(report.after.maxTx, db.maxTx + 1);
        for (const datom of report.datoms) {
          assert.equal(datom.tx, db.maxTx + 1);
          // Nothing is told that changes nothing.
          const had = applied(facts, []).length;
          facts = applied(facts, [datom]);
          assert.equal(facts.length, had + (datom.added ? 1 : -1), show(datom));
        }
        assertHolds(report.after, facts);
        assertLawful(facts);
        db = report.after;
      }
    }),
    { numRuns: 1500 },
  );
  assert.ok(done > 400, `only ${done} batches came to something`);
});

function orRefusal<Result>(run: () => Result): Result | undefined {
  try {
    return run();
  } catch (thrown) {
    assert.ok(thrown instanceof TransactError, String(thrown));
    return undefined;
  }
}

/** Cardinality and uniqueness hold, and refs are eids. */
function assertLawful(facts: readonly Datom[]): void {
  const distinct = (keys: readonly string[]): void => {
    assert.equal(new Set(keys).size, keys.length, keys.join());
  };
  distinct(facts.filter(({ a }) => !SMALL.isMany(a)).map(({ e, a }) => `${e} ${a}`));
  const unique = facts.filter(({ a }) => SMALL.isUnique(a));
  distinct(unique.map(({ a, v }) => show(fact(0, a, v))));
  for (const { a, v } of facts) {
    if (SMALL.isRef(a)) assert.ok(typeof v === "number" && v > 0, String(v));
  }
}

Deno.test("A batch comes to the same when its nodes are loaded as it names them", () => {
  for (const [written] of Object.values(DATOMS).flat()) {
    const { root, nodes } = stored(SCHEMA, BASE);
    const lazy = new LazyNodes(nodes);
    const db = Db.open(root, lazy);
    const report = lazy.untilDone(() => transact(db, forms(...written)));
    assert.deepEqual(told(report), told(transact(base(), forms(...written))));
  }
});
