"""Function words by language, in the folded spelling `data.text.fold` gives: they say nothing of the subject.

"us" is left out of the English list on purpose: in a headline it is a country.
"""

_LISTS = {
    "en": """
a about above after again against ain all also am amid among an and any are aren as at be because been before
being below between both but by can cannot could couldn d did didn do does doesn doing don down during each either
else ever every few for from further get gets got had hadn has hasn have haven having he her here hers herself him
himself his how however i if in into is isn it its itself just let like ll m may me might mine more most much must
my myself neither no nor not now of off on once one only onto or other our ours ourselves out over own per rather
re s same say says said shall she should shouldn since so some still such t than that the their theirs them
themselves then there these they this those though through thus to too under until up upon ve very via was wasn we
were weren what when where whether which while who whom whose why will with within without won would wouldn yet you
your yours yourself yourselves
""",
    "da": """
af alle alt altsa anden andet andre at blev blevet blive bliver burde da de dem den denne der deres derfor det dette
dig din dine disse dit dog du efter ej eller en end endnu er et far fik fordi for fra fa faet ga gar gik gor gore
ham han hans har havde have hen hende hendes her hos hun hvad hvem hver hvilken hvilket hvis hvor hvordan hvorfor
hvornar i ifolge igen ikke imod ind ingen intet ja jeg jer jo kan kom komme kommer kun kunne lige lidt ma man mange
med meget mellem men mens mere mest mig min mindre mine mit mod mod mest matte naar nar ned nej nogen noget nogle nok
nu ny og ogsa om op os over pa sa sadan samt se selv ses siden sig siger sin sine sit skal skulle som stadig
til to tre ud uden under var vi via vil ville vor vore vores vaere vaeret aldrig altid
""",
    "cs": """
a aby aj ale ani ano asi az bez bude budem budes budeme budete budou by byl byla byli bylo byly byt ci co coz da
dal dale do ho i ja jak jake jako je jeho jej jeji jejich jen jenz jeste ji jich jim jimi jine jiz jsem jses jsi
jsme jsou jste k kam kde kdo kdyz ke kolem ktera ktere kteri kterou ktery ma maji mate me mel mela meli mezi mi mit
mne mnou moc moje moji mozna muj muze my na nad nam nami nas nase nasi ne nebo nebot nebyl neco nei nej neji nez ni
nic nich nim nimi o od on ona oni ono ony pak po pod podle pokud potom pouze prave pred pres pri pro proc proto
protoze prvni pta re s se si sice sve svuj svych svym svymi ta tady tak take takze tam tato te tedy tema ten tento
teto ti tim timto to tohle toho tohoto tom tomto tomu tomuto toto tu tuto tvuj ty tyto u uz v vam vami vas vase ve
vedle vice vsak vsechno vsechny vy z za zda zde ze
""",
    "de": """
aber alle allem allen aller alles als also am an ander andere anderem anderen anderer anderes auch auf aus bei beim
bereits bin bis bist da damit dann das dass dein deine dem den denn der des dessen die dies diese diesem diesen
dieser dieses doch dort du durch ein eine einem einen einer eines einig einige er es etwas euch euer fur gegen
gewesen hab habe haben hat hatte hatten hier hin hinter ich ihm ihn ihnen ihr ihre ihrem ihren ihrer im in indem ins
ist ja jede jedem jeden jeder jedes jetzt kann kein keine keinem keinen keiner konnen konnte konnten machen man
manche mehr mein meine mich mir mit muss musste nach nicht nichts noch nun nur ob oder ohne sehr sein seine seinem
seinen seiner seit selbst sich sie sind so soll sollen sollte solche sondern sonst uber um und uns unser unsere
unter viel vom von vor war ware waren warum was weg weil weiter welche wenn wer werde werden wie wieder will wir
wird wo wollen wurde wurden zu zum zur zwar zwischen
""",
    "fr": """
a ai ainsi alors apres as au aucun aujourd aura aussi autre aux avait avant avec avoir c car ce cela celle celui
ces cet cette ceux chez comme contre d dans de depuis des deux donc dont du elle elles en encore entre est et etait
etaient ete etre eu eux fait font ici il ils j je l la le les leur leurs lors lui m ma mais me meme mes moi moins
mon n ne ni nos notre nous on ont ou par parce pas pendant peu peut plus pour pourquoi qu quand que quel quelle
quels qui s sa sans se selon sera ses si soit son sont sous sur t ta te tes toi ton tous tout toute toutes tres tu
un une vers voici vos votre vous y
""",
    "es": """
a al algo algunos ante antes aqui asi aun aunque cada como con contra cual cuando de del desde donde dos durante e
el ella ellas ellos en entre era eran es esa ese eso esta estaba estan estar este esto estos fue fueron ha habia han
hasta hay la las le les lo los mas me mi mientras muy ni no nos o otra otro otros para pero poco por porque que
quien se sea segun ser si sin sobre solo son su sus tambien tan tanto te tiene tienen todo todos tras tu un una uno
unos y ya yo
""",
    "nl": """
aan al alle als altijd andere ben bij daar dan dat de deze die dit doch doen door dus een en er ge geen had hebben
heeft hem het hier hij hoe hun ik in is ja je kan kon kunnen maar me meer men met mij mijn moet na naar niet niets
nog nu of om omdat ons ook op over reeds te tegen tot u uit uw van veel voor want waren was wat we wel werd wie
wij wil worden wordt zal ze zei zich zij zijn zo zonder zou
""",
    "sv": """
alla allt att av blev bli blir da de dem den denna deras dess det detta dig din dina dit du dar efter ej eller en er
ett fran for ha hade han hans har henne hennes hon honom hur har i icke ingen inom inte jag kan kunde man med mellan
men mer mig min mina mitt mot mycket ni nu nar nagon nagot nagra och om oss pa sa samma sedan sig sin sina sitt ska
skulle som till under upp ut utan vad var vara varfor vi vid vilka vilken vill vart at an over
""",
    "no": """
alle at av bare ble bli blir da de dem den denne der deres det dette din disse du eller en enn er et etter for fordi
fra fa far for ha hadde han hans har hennes her hos hun hva hvem hver hvis hvor hvordan hvorfor i ikke inn jeg kan
kunne man mange med meg meget men mens mer min mot ma nar noe noen na og ogsa om opp oss over pa sa seg selv sin
sine sitt skal skulle slik som til ut uten var ved vi vil ville vaere vaert
""",
    "it": """
a ad agli ai al alla alle allo anche ancora c che chi ci come con contro cosa cui d da dagli dai dal dalla dalle
degli dei del della delle dello di dopo dove due e ed era erano essere fra gia gli ha hai hanno ho i il in io l la
le lei li lo loro lui ma mi mia mio ne negli nei nel nella nelle no noi non nostro o ogni per perche piu prima
quale quando quanto quella quello questa questi questo qui se sei senza si sia sono su sua sui sul sulla suo
suoi tra tu tutti tutto un una uno vi voi
""",
    "pt": """
a ainda ao aos apos as ate com como contra da das de dela dele depois do dos e ela ele eles em entre era eram essa
esse esta estao estar este eu foi foram ha isso isto ja la lhe mais mas me mesmo meu minha muito na nao nas nem no
nos nossa num o os ou para pela pelas pelo pelos por porque qual quando que quem se sem ser seu seus so sobre sua
suas tambem te tem um uma voce
""",
    "pl": """
a aby ale albo ani bardzo bez bo by byc byl byla bylo byly co czy dla do gdy gdzie go i ich ile im iz ja jak jako je
jednak jego jej jest jestem jeszcze juz kiedy kto ktora ktore ktory ma mam mi mnie moze na nad nam nas nie niz o od
on ona one oni oraz po pod przed przez przy sa sie sobie swoje ta tak takze tam te tego tej ten to tu tylko tym u w
we wiec wszystko z za ze
""",
    "ru": """
а без более был была были было быть в вам вас весь во вот все всего всех вы где да даже для до его ее если есть еще
же за здесь и из или им их к как ко когда кто ли либо мне может мы на над надо наш не него нее нет ни них но ну о об
однако он она они оно от очень по под после при с со так также такой там те тем то того тоже той только том ты у
уже хотя чего чей чем что чтобы чье эта эти это этот я
""",
}

STOP_WORDS: dict[str, frozenset[str]] = {language: frozenset(text.split()) for language, text in _LISTS.items()}
